// Embeds the plots of each live cluster that the renewed part of the page names, once: a frame lasts as long as it is named.
"use strict";
{
  const place = document.getElementById("plots");
  function embed() {
    const named = new Map([...document.querySelectorAll("[data-plots]")].map((link) => [link.dataset.plots, link]));
    for (const frame of place.querySelectorAll("iframe")) {
      if (!named.delete(frame.dataset.of)) frame.remove();
    }
    for (const [of, link] of named) {
      const frame = document.createElement("iframe");
      Object.assign(frame, { src: link.href, title: link.dataset.title });
      frame.dataset.of = of;
      place.append(frame);
    }
  }
  document.addEventListener("live", embed);
  embed();
}
