// Filters the runs of an exported page by state and by text.
"use strict";
{
  const form = document.getElementById("gallery");
  const found = document.getElementById("found");
  const rows = [...document.querySelectorAll("table.runs tbody tr")].map((element) => ({
    element,
    state: element.querySelector(".state")?.lastChild.textContent.trim() ?? "",
    text: element.textContent.toLowerCase(),
  }));
  function apply() {
    const words = form.q.value.toLowerCase().split(/\s+/);
    let number = 0;
    for (const { element, state, text } of rows) {
      element.hidden = (form.state.value && form.state.value !== state) || !words.every((word) => text.includes(word));
      number += !element.hidden;
    }
    found.textContent = `${number} of ${rows.length} runs, the newest first`;
  }
  if (form) {
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
  }
}
