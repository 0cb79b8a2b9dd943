"""Word lists of the house rules; to be extended as corrections teach."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


WELL_KNOWN = _words("""
    AI US USA UK EU UN UAE CEO CEOS CFO CTO COO CIO CISO IT TV PC PCS GPS PDF DVD CD HD USB VIP DIY FAQ OK QR ID IQ HIV
    AIDS DNA COVID NASA NATO FBI CIA NSA FTC FDA SEC FCC GDPR MIT UCLA BBC CNN CBS NBC ABC HBO IBM AMD AWS SAP HP IPO
    R&D HR PR VR AR GPU CPU WIFI SMS APP GPT WWW URL EV UFO VC NFT CES E3 PS4 PS5 WHO IRS NHS ATM NFL NBA NYC LA DC AM
    PM BS OS Q&A VP VPS
""")
"""Short forms that our readers know or that are names to them; upper case."""

SPECIALIST = _words("""
    RAG LLM SLM NLP NLU NLG GAN RLHF RLAIF RLVR DPO PPO GRPO SFT PEFT LORA QLORA MOE RNN LSTM GRU MLP SVM VAE GNN ASR
    TTS OCR VQA SLAM NER OOD HPO AGI ASI RPA SDK API IAM SIEM SOC SOAR XDR EDR MLOPS AIOPS DEVOPS LLMOPS DEVSECOPS ETL
    ELT OLAP SASE ZTNA CDP KPI ROI B2B B2C SMB SAAS PAAS IAAS IPAAS CICD MDM TPU NPU FPGA ASIC HPC KV MCP COT VLA VLM
    BERTSCORE FLOP FLOPS SOTA IOT IIOT NOC MVP BI BPM CRM ERP ML CX XR P2P
""")
"""Short forms of the trade that need their long form for a general reader; upper case."""

NO_NAMES = _words("""
    i i'm i've i'll i'd ai a the of and for to in on at by with from is as vs via
    monday tuesday wednesday thursday friday saturday sunday
    january february march april may june july august september october november december q1 q2 q3 q4
    english internet web ceo cfo cto ceos tv pc it ok mr mrs ms dr
""")
"""Words with a capital that name nothing an article would have to mention; lower case."""

OPENERS = _words("""
    a an the this that these those my our your his her their its some any all no more most every each both
    why how what when where who which whose can could will would should is are was were do does did has have may might
    meet inside introducing introduce forget watch report study review update exclusive breaking new former ex
    with without as for after before since until while if in on at by from of and but or to into over under against
    about among amid despite thanks beyond behind between during like unlike via not now then here there
    see say says think use using make making build building get getting give take let try ask hire
    even once two three four five six seven eight nine ten
""")
"""Words that open a sentence before a name without being part of it ("Meet Ada"); lower case."""

SAME_PLACE: dict[str, tuple[str, ...]] = {
    "us": ("usa", "america", "american", "americans"),
    "usa": ("us", "america", "american", "americans"),
    "uk": ("britain", "british", "england", "english"),
    "eu": ("europe", "european", "europeans"),
    "un": ("united",),
    "britain": ("uk", "british"),
    "america": ("us", "usa", "american", "americans"),
    "china": ("chinese",),
    "france": ("french",),
    "germany": ("german", "germans"),
    "spain": ("spanish",),
    "netherlands": ("dutch",),
    "switzerland": ("swiss",),
    "denmark": ("danish",),
    "poland": ("polish",),
}
"""Places and what else they or their people are called, where one word does not begin like the other; lower case."""
