// Copies the text of what a button with `data-copy` names by its id.
"use strict";
document.documentElement.classList.add("can-copy");
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {  // not on loopback and without TLS: the person's own Ctrl-C copies what is selected
    getSelection().selectAllChildren(source);
    if (!document.execCommand("copy")) return;
  }
  const shown = button.innerHTML;
  button.textContent = "Copied";
  setTimeout(() => { button.innerHTML = shown; }, 2000);
});
