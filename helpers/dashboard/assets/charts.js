// Gives what Bokeh draws the page's colours, and names its charts to screen readers. Loaded before BokehJS.
// Canvases read --bk-… of dashboard.css whenever they are drawn; what is made of elements has shadow roots of its own.
"use strict";
{
  const NAMING = 500;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host {
      --color: var(--ink); --background-color: var(--paper); --hover-color: var(--tint); --border-color: var(--quiet);
      --divider-color: var(--line); --surface-background-color: var(--tint); --active-bg: var(--tint);
      --placeholder-color: var(--quiet); --icon-color: var(--quiet); --tooltip-arrow-color: var(--paper);
      --base-font: system-ui, "Helvetica Neue", Arial, sans-serif; --font-size: 13px;
    }
    :host(.bk-Legend) { background: var(--paper) !important; border-color: var(--line) !important; }
    :host(.bk-Legend) :is(.bk-title, .bk-label) { color: var(--ink) !important; }
    .bk-input { color: var(--ink); }
    select.bk-input { appearance: auto !important; background-image: none !important; padding-right: 4px !important; }
    label { color: var(--quiet); }
    .bk-tooltip-row-label { color: var(--quiet) !important; }
  `);
  const attachShadow = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (options) {
    const root = attachShadow.call(this, options);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    return root;
  };

  function* charts(views = Object.values(Bokeh.index)) {
    for (const view of views) {
      if (view.model?.type === "Figure") yield view;
      else if (view.children) yield* charts(view.children());
    }
  }

  function name(chart) {
    const canvas = chart.canvas_view?.shadow_el?.querySelector("canvas");
    const label = chart.model.html_attributes?.["aria-label"] || chart.model.title?.text;
    if (!canvas || !label || canvas.getAttribute("aria-label") === label) return;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const chart of charts()) chart.request_repaint();
  });
  // Charts come with their document, and later ones in the place of others.
  setInterval(() => {
    if (!document.hidden && window.Bokeh) for (const chart of charts()) name(chart);
  }, NAMING);
}
