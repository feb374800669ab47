// Tells the server what was chosen, and shows what it says of it, beside the chart that it draws itself.
"use strict";
{
  const LOOKING = 100; // ms
  const form = document.getElementById("choice");
  let asked = null;

  const chosen = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== "")).toString();

  function ask() {
    if (asked && asked.data.query[0] !== chosen()) asked.data = { query: [chosen()] };
  }

  // The server's template has escaped what is not its own.
  function show(name, html) {
    const place = document.getElementById(name);
    if (place.shown === html) return;
    place.shown = html;
    const held = place.contains(document.activeElement) ? document.activeElement : null;
    const scrolled = place.querySelector(".scroll")?.scrollLeft ?? 0;
    place.innerHTML = html;
    const region = place.querySelector(".scroll");
    if (region) region.scrollLeft = scrolled;
    if (!held) return;
    const again = held.href && [...place.querySelectorAll("a")].find((link) => link.href === held.href);
    (again || region)?.focus({ preventScroll: true });
  }

  async function reload() {
    // Bokeh has given its connection up; the same server has forgotten the document by then.
    const isThere = await fetch("health", { cache: "no-store" }).then((answer) => answer.ok, () => false);
    if (isThere) location.reload();
    else setTimeout(reload, 2000);
  }

  function connect(found) {
    asked = found.get_model_by_name("asked");
    const said = found.get_model_by_name("said");
    said.properties.data.change.connect(() => {
      for (const name of Object.keys(said.data)) show(name, said.data[name][0]);
    });
    found.on_event("connection_lost", (_, event) => event.timeout == null && reload());
    ask(); // a browser may keep what was chosen before a reload
  }

  function look() {
    const found = window.Bokeh?.documents.find((one) => one.get_model_by_name("asked"));
    if (found) connect(found);
    else setTimeout(look, LOOKING);
  }

  form.addEventListener("input", () => {
    const query = chosen();
    history.replaceState(null, "", `?${query}`);
    ask();
  });
  look();
}
