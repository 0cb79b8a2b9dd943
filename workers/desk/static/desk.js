// What a curator's hands need: a live counter, live house rules, keys, and a promise that nothing typed is lost.
// The pages work without it. Text from titles and articles only ever goes in through textContent.
"use strict";

const byId = (id) => document.getElementById(id);
const form = byId("verdict");
const text = byId("text");
const store = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* private mode: the form still holds it */ } },
  drop(key) { try { localStorage.removeItem(key); } catch { /* as above */ } },
};

// --- who is at the desk ------------------------------------------------------------------------------------------

const curator = byId("curator");
function rememberCurator() {
  const name = encodeURIComponent(curator.value.trim());
  document.cookie = `curator=${name}; path=/; max-age=31536000; samesite=strict`;
}
if (curator) {
  curator.addEventListener("input", rememberCurator);
  curator.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    curator.blur();
  });
}

// --- messages ----------------------------------------------------------------------------------------------------

function alertPerson(words, retry) {
  const box = byId("alert");
  box.hidden = false;
  box.textContent = words;
  if (retry) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "retry";
    button.textContent = "Try again";
    button.addEventListener("click", retry);
    box.append(" ", button);
  }
  box.scrollIntoView({ block: "center" });
}

function tellPerson(words) {
  const line = document.createElement("p");
  line.className = "notice";
  line.textContent = words;
  byId("notices").replaceChildren(line);
}

// --- the title being edited --------------------------------------------------------------------------------------

const segmenter = window.Intl && Intl.Segmenter ? new Intl.Segmenter("en", { granularity: "grapheme" }) : null;
const graphemes = (value) => (segmenter ? Array.from(segmenter.segment(value), (part) => part.segment) : Array.from(value));
const oneLine = (value) => value.replace(/\s+/g, " ").trim();

function startEditor() {
  const limit = Number(form.dataset.limit);
  const before = form.dataset.before;
  const draftKey = `copydesk:draft:${form.dataset.titleId}`;
  const buttons = Object.fromEntries(Array.from(form.querySelectorAll("[name=verdict]"), (button) => [button.value, button]));
  const restore = byId("restore");
  let spans = Array.from(byId("marks").children, (node) => ({ text: node.textContent, marked: node.tagName === "MARK" }));
  let pendingCheck = 0;
  let latestCheck = 0;
  let sending = false;

  function paint() {
    const marks = byId("marks");
    marks.replaceChildren();
    let position = 0;
    for (const span of spans) {
      const parts = graphemes(span.text);
      const room = Math.max(0, limit - position);
      for (const [piece, over] of [[parts.slice(0, room), false], [parts.slice(room), true]]) {
        if (!piece.length) continue;
        const node = document.createElement(span.marked ? "mark" : "span");
        node.textContent = piece.join("");
        if (over) node.className = "toolong";
        marks.append(node);
      }
      position += parts.length;
    }
    const length = graphemes(oneLine(text.value)).length;
    const counter = byId("counter");
    counter.replaceChildren(Object.assign(document.createElement("b"), { textContent: length }), ` of ${limit}`);
    counter.classList.toggle("toolong", length > limit);
    const changed = oneLine(text.value) !== oneLine(before);
    restore.hidden = !changed || text.readOnly;
    const approve = !changed && !buttons.approved.disabled;
    buttons.approved.className = approve ? "primary" : "plain";
    buttons.corrected.className = approve ? "plain" : "primary";
    return changed;
  }

  async function check() {
    const number = ++latestCheck;
    const asked = text.value;
    let answer;
    try {
      const response = await fetch("/api/check", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ title_id: form.dataset.titleId, text: asked }),
      });
      if (!response.ok) return;
      answer = await response.json();
    } catch {
      return; // the feedback is a courtesy; the verdict is checked again when it is given
    }
    if (number !== latestCheck || asked !== text.value) return;
    spans = answer.spans;
    paint();
    const lines = answer.violations.length ? answer.violations.map((violation) => violation.reason) : ["Keeps every house rule."];
    byId("rules").replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), {
      textContent: line,
      className: answer.violations.length ? "" : "kept",
    })));
  }

  function typed() {
    if (/[\r\n]/.test(text.value)) text.value = text.value.replace(/\s*[\r\n]+\s*/g, " ");
    spans = keepMarks(spans, text.value);
    if (paint()) store.set(draftKey, text.value);
    else store.drop(draftKey);
    clearTimeout(pendingCheck);
    pendingCheck = setTimeout(check, 250);
  }

  // Until the server has answered, marked words that are still there stay marked.
  function keepMarks(old, value) {
    const result = [];
    let rest = value;
    for (const span of old) {
      if (!span.marked) continue;
      const at = rest.indexOf(span.text);
      if (at < 0) continue;
      result.push({ text: rest.slice(0, at), marked: false }, span);
      rest = rest.slice(at + span.text.length);
    }
    return [...result, { text: rest, marked: false }];
  }

  function setSending(now) {
    sending = now;
    form.classList.toggle("sending", now);
    byId("busy").textContent = now ? "Sending…" : "";
  }

  async function judge(verdict) {
    if (sending || !buttons[verdict] || buttons[verdict].disabled) return;
    const changed = oneLine(text.value) !== oneLine(before);
    if (!curator.value.trim()) {
      alertPerson("Say who you are first: your name goes with the verdict.");
      curator.focus();
      return;
    }
    if (verdict === "approved" && changed) {
      alertPerson("You have changed the title: save it as a correction, or restore the model’s wording.");
      return;
    }
    if (verdict === "corrected" && !changed) {
      alertPerson("Nothing was changed: approve the title, or write a better one.");
      return;
    }
    setSending(true);
    try {
      const response = await fetch(`/api/titles/${form.dataset.titleId}/verdict`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          verdict,
          text: verdict === "spiked" ? "" : text.value,
          error_tags: Array.from(form.querySelectorAll("[name=error_tags]:checked"), (box) => box.value),
          curator: curator.value,
          seconds_spent: stopwatch.seconds,
          note: byId("note").value,
        }),
      });
      if (response.ok) {
        rememberCurator();
        store.drop(draftKey);
        window.location.assign(`${form.dataset.next}?done=${form.dataset.titleId}`);
        return; // still sending: the next page ends it, and nothing is sent twice
      }
      setSending(false);
      const words = await response.json().then((body) => body.detail, () => response.statusText);
      const retry = response.status === 503 ? () => judge(verdict) : null;
      alertPerson(response.status === 503 ? `Not confirmed. Your wording is kept here, and trying again does no harm. ${words}` : words, retry);
    } catch {
      setSending(false);
      alertPerson("The desk does not answer. Your wording is kept here.", () => judge(verdict));
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter) judge(event.submitter.value);
  });
  text.addEventListener("input", typed);
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.isComposing) event.preventDefault();
  });
  restore.addEventListener("click", () => { text.value = before; typed(); text.focus(); });

  const draft = store.get(draftKey);
  if (draft !== null && draft !== text.value && !text.readOnly) {
    text.value = draft;
    typed();
    tellPerson("Your wording from before is back.");
  }
  paint();
  return { judge, restore: () => restore.hidden || restore.click() };
}

// --- how long it takes: seconds while somebody is at it ------------------------------------------------------------

const stopwatch = { seconds: 0, touched: Date.now() };
for (const sign of ["keydown", "pointermove", "scroll", "touchstart"]) {
  document.addEventListener(sign, () => { stopwatch.touched = Date.now(); }, { passive: true, capture: true });
}
setInterval(() => {
  if (document.visibilityState === "visible" && Date.now() - stopwatch.touched < 60000) stopwatch.seconds += 1;
  if (byId("seconds")) byId("seconds").value = String(stopwatch.seconds);
}, 1000);

// --- keys --------------------------------------------------------------------------------------------------------

function startKeys(editor) {
  const single = byId("single-keys");
  single.checked = store.get("copydesk:single-keys") !== "off";
  single.addEventListener("change", () => store.set("copydesk:single-keys", single.checked ? "on" : "off"));
  const click = (id) => () => byId(id) && byId(id).click();
  const actions = {
    a: () => editor && editor.judge("approved"),
    s: () => editor && editor.judge("spiked"),
    e: () => { if (editor) { text.focus(); text.setSelectionRange(text.value.length, text.value.length); } },
    r: () => editor && editor.restore(),
    n: () => byId("note") && byId("note").focus(),
    j: click("next"),
    k: click("previous"),
    u: click("reopen"),
    "?": () => byId("help").showModal(),
  };
  const tag = (number) => {
    const boxes = form.querySelectorAll("[name=error_tags]");
    if (boxes[number - 1]) boxes[number - 1].click();
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented && event.key !== "Enter") return;
    if (event.isComposing || byId("help").open) return;
    const typing = event.target.matches("textarea, input:not([type=checkbox])");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (editor) editor.judge("corrected");
    } else if (event.key === "Escape" && typing) {
      event.target.blur();
    } else if (event.altKey && /^Digit[1-8]$/.test(event.code)) {
      event.preventDefault();
      tag(Number(event.code.at(-1)));
    } else if (!typing && single.checked && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const action = /^[1-8]$/.test(event.key) ? () => tag(Number(event.key)) : actions[event.key.toLowerCase()];
      if (!action) return;
      event.preventDefault();
      action();
    }
  });

  const help = byId("help-button");
  help.hidden = false;
  help.addEventListener("click", actions["?"]);
}

// --- the day goes on ---------------------------------------------------------------------------------------------

async function refreshDay() {
  if (document.visibilityState !== "visible" || !byId("waiting")) return;
  try {
    const response = await fetch("/api/stats");
    if (!response.ok) return;
    const day = await response.json();
    byId("waiting").textContent = day.waiting;
    byId("judged").textContent = day.judged_today;
    byId("day").max = Math.max(1, day.waiting + day.judged_today);
    byId("day").value = day.judged_today;
    if (day.waiting && document.querySelector("[data-poll]")) window.location.reload();
  } catch { /* it will be there the next time */ }
}
setInterval(refreshDay, 5000);

if (form) startKeys(text ? startEditor() : null);
const current = document.querySelector(".queue [aria-current]");
if (current) {
  const list = byId("queue");
  list.scrollTop = Math.max(0, current.offsetTop - list.clientHeight / 3);
}
