"use strict";
// The page's own element, found by its place: what a cell puts out may have any id.
const packed = document.currentScript.previousElementSibling;

async function unpacked(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

// Each chart's frame gets BokehJS, of which the page has one copy.
async function drawCharts() {
  const frames = document.querySelectorAll("iframe[data-document]");
  if (!frames.length) return;
  const bokeh = await unpacked(packed.content.textContent);
  for (const frame of frames) frame.srcdoc = frame.dataset.document.replace("/*bokeh*/", () => bokeh);
}

addEventListener("message", (event) => {
  const frame = document.getElementsByName(String(event.data.name))[0];
  if (frame && frame.contentWindow === event.source) frame.style.height = Number(event.data.height) + 10 + "px";
});

// What can be scrolled must be reached by the keyboard; what cannot should not be in the way.
function markScrolled() {
  for (const part of document.querySelectorAll(".scroll")) {
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  }
}

for (const event of ["load", "resize"]) addEventListener(event, markScrolled);
document.addEventListener("toggle", markScrolled, true);
markScrolled();
drawCharts();
