"""Word lists of the house rules; to be extended as corrections teach."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


WELL_KNOWN = _words("""
    AI US USA UK EU UN UAE CEO CEOS CFO CTO COO CIO CISO IT TV PC PCS GPS PDF DVD CD HD USB VIP DIY FAQ OK QR ID IQ HIV
    AIDS DNA COVID NASA NATO FBI CIA NSA FTC FDA SEC FCC GDPR MIT UCLA BBC CNN CBS NBC ABC HBO IBM AMD AWS SAP HP IPO
    R&D HR PR VR AR GPU CPU WIFI SMS APP GPT WWW URL EV UFO VC NFT CES E3 PS4 PS5 WHO IRS NHS ATM NFL NBA NYC LA DC AM
    PM BS OS Q&A VP VPS HQ RIP IRL ASAP MPH
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
    english internet web million billion trillion earth ceo cfo cto ceos tv pc it ok mr mrs ms dr
""")
"""Words with a capital that name nothing an article would have to mention; lower case."""

SMALL_WORDS = _words("""
    is are was were be do does did has have can could will would should must not
    this that these those my our your his her their its you we us they it he she me
    how why what when where which with from and or but if than really getting going
""")
"""Words that have a capital inside a title only where all have one; lower case."""

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

WELL_KNOWN_NAMES = _words("""
    google apple microsoft amazon meta facebook nvidia intel samsung ibm tesla openai anthropic deepmind twitter netflix
    uber airbnb spotify tiktok youtube instagram whatsapp linkedin reddit snapchat adobe salesforce oracle cisco dell
    huawei alibaba tencent baidu bytedance xiaomi sony nokia ericsson siemens bosch toyota volkswagen bmw ford boeing
    airbus walmart nasa pfizer moderna novartis qualcomm arm amd tsmc softbank palantir snowflake databricks mistral
    chatgpt gemini claude copilot alexa siri llama midjourney waymo cruise disney ocado
    stanford harvard princeton yale oxford cambridge berkeley cornell
    britain england scotland ireland france germany italy spain portugal netherlands belgium switzerland austria denmark
    norway sweden finland poland ukraine russia turkey israel iran iraq india pakistan bangladesh china japan korea
    taiwan vietnam indonesia australia canada mexico brazil argentina chile egypt nigeria kenya africa europe asia
    america
    british english scottish irish french german italian spanish portuguese dutch belgian swiss austrian danish
    norwegian swedish finnish polish ukrainian russian turkish israeli iranian indian pakistani chinese japanese korean
    taiwanese australian canadian mexican brazilian african european asian american
    london paris berlin madrid rome amsterdam brussels vienna zurich geneva moscow beijing shanghai tokyo seoul
    singapore sydney toronto boston chicago seattle texas california washington
    musk altman zuckerberg bezos nadella pichai trump biden obama
""")
"""Names that are looked for wherever they stand in a title; lower case, without accents."""

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
    "sweden": ("swedish",),
    "finland": ("finnish",),
    "turkey": ("turkish",),
    "ireland": ("irish",),
    "scotland": ("scottish",),
    "portugal": ("portuguese",),
    "ukraine": ("ukrainian",),
    "norway": ("norwegian",),
    "belgium": ("belgian",),
    "europe": ("european", "europeans"),
    "brussels": ("eu", "european"),
    "washington": ("us", "usa", "american", "congress", "senate"),
    "beijing": ("china", "chinese"),
    "moscow": ("russia", "russian"),
    "facebook": ("meta",),
    "google": ("alphabet",),
    "copilot": ("microsoft",),
    "siri": ("apple",),
    "alexa": ("amazon",),
}
"""Names and what else they, or a place's people, are called, where one word does not begin like the other; lower case.

An article that has one word of a line has them all."""
