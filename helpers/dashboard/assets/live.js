// Keeps a page up to date: its parts with `data-live` (the address of their HTML) are asked for again and again, and
// at once when a form with `data-filters` changes; a page without such parts asks whether the server is still there.
"use strict";
{
  const PERIOD = 2000;
  const TYPING = 150;
  const CONNECTION = document.getElementById("connection");
  const PROBLEM = document.getElementById("problem");
  const parts = () => document.querySelectorAll("[data-live]");
  const shown = new WeakMap(); // part -> {address, etag, html}
  let lostAt = null;
  let timer = null;
  let round = 0;

  // Where an element is below a part: the nearest id, and the way down from there.
  function wayTo(element, part) {
    const steps = [];
    while (element !== part && !element.id) {
      steps.unshift([...element.parentElement.children].indexOf(element));
      element = element.parentElement;
    }
    return { id: element === part ? null : element.id, steps };
  }

  function follow(way, part) {
    let element = way.id === null ? part : document.getElementById(way.id);
    for (const step of way.steps) element = element?.children[step];
    return element && element !== part && part.contains(element) ? element : null;
  }

  // What the person has done in a part: opened, focused, scrolled.
  function kept(part) {
    const active = document.activeElement;
    return {
      open: [...part.querySelectorAll("details")].map((one) => [wayTo(one, part), one.open]),
      scrolled: [...part.querySelectorAll(".scroll")].map((one) => [wayTo(one, part), one.scrollLeft]),
      focus: active !== part && part.contains(active) ? wayTo(active, part) : null,
    };
  }

  function restore(part, state) {
    for (const [way, open] of state.open) {
      const found = follow(way, part);
      if (found?.tagName === "DETAILS") found.open = open;
    }
    for (const [way, left] of state.scrolled) {
      const found = follow(way, part);
      if (found) found.scrollLeft = left;
    }
    if (state.focus) follow(state.focus, part)?.focus({ preventScroll: true });
  }

  function isSelectedIn(part) {
    const selection = getSelection();
    return !selection.isCollapsed && selection.rangeCount > 0 && selection.getRangeAt(0).intersectsNode(part);
  }

  async function ask(address, headers = {}) {
    const answer = await fetch(address, { cache: "no-store", headers, signal: AbortSignal.timeout(10000) });
    if (answer.status === 401 || answer.status === 403) throw new Error("login");
    if (!answer.ok && answer.status !== 304) throw new Error(answer.status);
    return answer;
  }

  async function refresh(part, mine) {
    const address = part.dataset.live + location.search;
    const before = shown.get(part);
    const answer = await ask(address, before?.address === address && before.etag ? { "If-None-Match": before.etag } : {});
    if (answer.status === 304 || mine !== round) return;
    const html = await answer.text();
    if (mine !== round) return;
    if (html !== before?.html) {
      if (isSelectedIn(part) && before?.address === address) return; // until the person has copied it
      const state = kept(part);
      part.innerHTML = html;
      restore(part, state);
      part.dispatchEvent(new CustomEvent("live", { bubbles: true }));
    }
    shown.set(part, { address, etag: answer.headers.get("ETag"), html });
  }

  async function askHealth() {
    const health = await (await ask("health")).json();
    if ((CONNECTION.dataset.instance ?? health.instance) !== health.instance) {
      location.reload(); // the document belonged to the server before; what was chosen stands in the address
      return;
    }
    PROBLEM.textContent = health.problem || "";
    PROBLEM.hidden = !health.problem;
  }

  function say(error) {
    if (!error) {
      lostAt = null;
      CONNECTION.hidden = true;
      return;
    }
    lostAt ??= new Date();
    const since = lostAt.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    let text = `Not connected since ${since}; trying again.`;
    if (error.message === "login") text = "The dashboard asks for its token again; reload the page.";
    else if (/^\d+$/.test(error.message)) text = `Not up to date since ${since}: the dashboard answers ${error.message}; trying again.`;
    if (CONNECTION.textContent !== text) CONNECTION.textContent = text;
    CONNECTION.hidden = false;
  }

  async function refreshAll() {
    clearTimeout(timer);
    const mine = ++round;
    if (!document.hidden) {
      try {
        await Promise.all([askHealth(), ...[...parts()].map((part) => refresh(part, mine))]);
        if (mine === round) say(null);
      } catch (error) {
        if (mine === round) say(error);
      }
    }
    if (mine === round) timer = setTimeout(refreshAll, PERIOD);
  }

  for (const form of document.querySelectorAll("form[data-filters]")) {
    const apply = () => {
      const chosen = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
      history.replaceState(null, "", chosen.size ? `?${chosen}` : location.pathname);
      refreshAll();
    };
    form.addEventListener("input", () => {
      clearTimeout(form.typing);
      form.typing = setTimeout(apply, TYPING);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(form.typing);
      apply();
    });
  }
  document.addEventListener("visibilitychange", () => document.hidden || refreshAll());
  addEventListener("online", refreshAll);
  refreshAll();
}
