// The page about money follows its sliders: the server reckons, this asks it again. Without it there is the button.
"use strict";
(() => {
  const sliders = document.getElementById("sliders");
  let waiting = 0;
  let newest = 0;

  async function reckon() {
    const mine = ++newest;
    const address = `${sliders.action}?${new URLSearchParams(new FormData(sliders))}`;
    const answer = await fetch(address).catch(() => null);
    if (!answer || !answer.ok || mine !== newest) return;
    const there = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== newest) return;
    document.getElementById("result").replaceWith(there.getElementById("result"));
    for (const output of there.querySelectorAll("#sliders output")) {
      const name = output.getAttribute("for");
      sliders.querySelector(`output[for="${name}"]`).textContent = output.textContent;
      document.getElementById(name).setAttribute("aria-valuetext", output.textContent);
    }
    history.replaceState(null, "", address);
  }

  sliders.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(reckon, 60);
  });
  sliders.querySelector(".reckon button").hidden = true;
})();
