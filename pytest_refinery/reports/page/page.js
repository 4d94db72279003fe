"use strict";

// Everything that a trace says comes in as text and goes out as text nodes: nothing here parses HTML.
(() => {
  const SLICE = 250; // rows that are built at once
  const FOLDED = 1600; // characters of a message that are shown before "show all"
  // Maps: a trace may call its kinds and roles whatever it likes, such as "constructor".
  const KINDS = new Map([["llm", "model call"], ["tool", "tool call"], ["chain", "part"], ["retriever", "search"]]);
  const ROLES = new Map([["assistant", "Agent"], ["user", "User"], ["system", "Instructions"], ["tool", "Tool"]]);
  const COARSE = window.matchMedia("(max-width: 60rem)");
  const CALM = window.matchMedia("(prefers-reduced-motion: reduce)");

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) made.setAttribute(name, "");
      else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  function paragraph(text, kind) {
    return text ? element("p", { class: kind }, text) : null;
  }

  function scrollTo(target, block) {
    target.scrollIntoView({ block, behavior: CALM.matches ? "auto" : "smooth" });
  }

  function duration(seconds) {
    if (seconds === null || seconds < 0) return "";
    if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
    if (seconds < 60) return `${seconds.toFixed(1)} s`;
    const whole = Math.round(seconds);
    return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  }

  // ---- quotes, found again in the texts in which they stand

  function pattern(quote) {
    const words = quote.split(/\s+/u).filter(Boolean);
    const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\/]/gu, "\\$&"));
    return escaped.length ? new RegExp(escaped.join("\\s+"), "gu") : null;
  }

  function spans(text, patterns) {
    const found = patterns.flatMap((each) => [...text.matchAll(each)].map((hit) => [hit.index, hit.index + hit[0].length]));
    found.sort((one, other) => one[0] - other[0]);
    const joined = [];
    for (const [start, end] of found) {
      const last = joined.at(-1);
      if (last && start <= last[1]) last[1] = Math.max(last[1], end);
      else joined.push([start, end]);
    }
    return joined;
  }

  function marked(text, patterns) {
    const parts = [];
    let done = 0;
    for (const [start, end] of spans(text, patterns)) {
      parts.push(text.slice(done, start), element("mark", {}, text.slice(start, end)));
      done = end;
    }
    parts.push(text.slice(done));
    return parts;
  }

  // ---- a picture: rows, and what each of them says

  class Picture {
    constructor(data) {
      this.runs = data.runs;
      this.messages = data.messages;
      this.values = data.values;
      this.steps = data.steps;
      this.cut = data.cut || "";
      this.span = Math.max(0, ...this.runs.map((run) => run.end ?? run.start ?? 0));
      this.isTimed = this.span > 0;
      this.depths = [];
      this.lasts = this.runs.map((run) => run.number);
      for (const run of this.runs) this.depths.push(run.parent ? this.depths[run.parent - 1] + 1 : 0);
      for (const run of [...this.runs].reverse()) {
        if (run.parent) this.lasts[run.parent - 1] = Math.max(this.lasts[run.parent - 1], this.lasts[run.number - 1]);
      }
    }

    // Where the bar of a run begins and how long it is, as shares of the whole.
    bar(run) {
      if (!this.isTimed) {
        const last = this.lasts[run.number - 1];
        return [(run.number - 1) / this.runs.length, (last - run.number + 1) / this.runs.length];
      }
      const start = run.start ?? 0;
      return [start / this.span, Math.max(0, (run.end ?? start) - start) / this.span];
    }

    seconds(run) {
      return run.start === undefined || run.end === undefined ? null : run.end - run.start;
    }

    above(run) {
      const found = [];
      for (let up = run.parent; up; up = this.runs[up - 1].parent) found.unshift(this.runs[up - 1]);
      return found;
    }
  }

  // A JSON value the way people write lists down; texts in it stay as they are.
  function written(value, indent = "") {
    if (value === null || typeof value !== "object") return String(value);
    const inner = `${indent}  `;
    return Object.entries(value)
      .map(([key, item]) => {
        const label = Array.isArray(value) ? "-" : `${key}:`;
        const isNested = item !== null && typeof item === "object" && Object.keys(item).length;
        return isNested ? `${indent}${label}\n${written(item, inner)}` : `${indent}${label} ${written(item)}`;
      })
      .join("\n");
  }

  // What a tool says in the only field of its answer is its answer.
  function readable(json) {
    try {
      const value = JSON.parse(json);
      const only = value !== null && typeof value === "object" && !Array.isArray(value) ? Object.values(value) : [];
      return only.length === 1 && typeof only[0] === "string" ? only[0] : written(value);
    } catch {
      return json;
    }
  }

  // A value in the form for people, unless a quote is in it that only its own form has.
  function readableWith(value, patterns) {
    const text = readable(value);
    return spans(text, patterns).length || !spans(value, patterns).length ? text : value;
  }

  // ---- the trace of one item

  class TraceView {
    constructor(section, anchor) {
      this.section = section;
      this.anchor = anchor;
      this.picture = new Picture(JSON.parse(document.getElementById(section.dataset.picture).textContent));
      this.marks = JSON.parse(section.dataset.marks);
      this.patterns = this.marks.quotes.map((each) => pattern(each.quote)).filter(Boolean);
      this.quoted = new Map();
      for (const each of this.marks.quotes) {
        if (each.run) this.quoted.set(each.run, [...(this.quoted.get(each.run) || []), each]);
      }
      this.rows = [];
      this.selected = null;
      this.build();
    }

    get first() {
      const marked = this.marks.responsible ?? this.marks.quotes.find((each) => each.run)?.run;
      return this.picture.runs[marked - 1] ? marked : 1;
    }

    build() {
      this.list = element("ol", { class: this.picture.runs.length > SLICE ? "runs long" : "runs", "aria-label": "Steps of the trace" });
      this.reader = element("div", { class: "reader", role: "region", "aria-label": "The selected step", tabindex: "0" });
      this.timeline = element("div", { class: "timeline" }, this.axis(), this.list);
      this.talk = element("ol", { class: "talk", "aria-label": "The conversation", hidden: true });
      this.hint = element("p", { class: "small hint" }, this.explanation());
      this.section.append(
        this.controls(),
        this.hint,
        element("div", { class: "panes" }, element("div", { class: "left" }, this.timeline, this.talk), this.reader),
      );
      this.section.addEventListener("keydown", (event) => this.onKey(event));
      this.grow(Math.max(SLICE, this.first));
      this.growLater();
      // A chat is read as one.
      if (this.picture.steps.length && this.picture.runs.every((run) => run.kind === "message")) this.show("talk");
    }

    explanation() {
      const bars = this.picture.isTimed
        ? "Its bar shows when it ran and for how long."
        : "This trace has no times, so the bars show the order only.";
      const cut = this.picture.cut ? ` ${this.picture.cut}` : "";
      return `Each row is one step of the agent; what it called stands indented below it. ${bars} Select a row to read it.${cut}`;
    }

    controls() {
      const views = [["timeline", "Timeline"], ["talk", "Conversation"]].map(([name, words]) => {
        const button = element("button", { type: "button", "aria-pressed": String(name === "timeline") }, words);
        button.addEventListener("click", () => this.show(name));
        return button;
      });
      this.buttons = views;
      this.filter = element(
        "select",
        { "aria-label": "Which steps to show" },
        element("option", { value: "" }, `all ${this.picture.runs.length.toLocaleString("en")} steps`),
        element("option", { value: "calls" }, "model and tool calls"),
        element("option", { value: "marked" }, "what is marked or failed"),
      );
      this.filter.addEventListener("change", () => (this.list.dataset.filter = this.filter.value));
      const switches = this.picture.steps.length ? element("div", { class: "switch", role: "group", "aria-label": "View" }, ...views) : null;
      return element("div", { class: "controls" }, switches, this.filter, this.legend());
    }

    legend() {
      const kinds = ["llm", "tool", "chain"].map((kind) =>
        element("span", { class: `key ${kind}` }, element("i", { class: "bar" }), KINDS.get(kind) ?? kind));
      this.key = element("p", { class: "legend", "aria-hidden": "true" }, ...kinds, element("span", { class: "key fault" }, element("i", { class: "bar" }), "failed"));
      return this.key;
    }

    axis() {
      const { span, isTimed } = this.picture;
      const shares = isTimed ? [0, 0.5, 1] : [];
      const ticks = shares.map((share) => element("span", {}, share ? duration(span * share) : "0 s"));
      return element("div", { class: "axis", "aria-hidden": "true" }, element("span", { class: "ticks" }, ...ticks));
    }

    // ---- rows

    grow(until) {
      const more = document.createDocumentFragment();
      const end = Math.min(until, this.picture.runs.length);
      while (this.rows.length < end) {
        const row = this.row(this.picture.runs[this.rows.length]);
        this.rows.push(row);
        more.append(row);
      }
      this.list.append(more);
    }

    growLater() {
      if (this.rows.length >= this.picture.runs.length) return;
      setTimeout(() => {
        this.grow(this.rows.length + SLICE);
        this.growLater();
      });
    }

    row(run) {
      const isResponsible = run.number === this.marks.responsible;
      const quotes = this.quoted.get(run.number);
      const candidate = this.marks.candidates.findIndex((each) => each.run === run.number) + 1;
      const flags = [
        isResponsible ? element("span", { class: "flag strong" }, "went wrong here") : null,
        candidate && !isResponsible ? element("span", { class: "flag candidate" }, `candidate ${candidate}`) : null,
        quotes ? element("span", { class: "flag" }, quotes.length > 1 ? `${quotes.length} quotes` : "quote") : null,
        run.error ? element("span", { class: "flag strong" }, "failed") : null,
      ];
      const button = element(
        "button",
        { type: "button", tabindex: "-1" },
        element("span", { class: "number" }, String(run.number)),
        this.name(run, flags),
        this.lane(run),
        element("span", { class: "took" }, duration(this.picture.seconds(run))),
      );
      button.addEventListener("click", () => this.select(run.number, { isAsked: true }));
      const isMarked = isResponsible || candidate || quotes || run.error;
      const kind = ["llm", "tool", "retriever", "message"].includes(run.kind) ? run.kind : "chain";
      return element("li", { "data-kind": kind, class: [isMarked && "marked", isResponsible && "responsible", run.error && "failed"].filter(Boolean).join(" ") }, button);
    }

    name(run, flags) {
      const kind = element("span", { class: "kind" }, KINDS.get(run.kind) ?? run.kind);
      const made = element("span", { class: "what" }, element("span", { class: "label" }, element("b", {}, run.name), " ", kind), ...flags);
      made.style.setProperty("--depth", Math.min(this.picture.depths[run.number - 1], 12));
      return made;
    }

    lane(run) {
      const [start, share] = this.picture.bar(run);
      const bar = element("i", { class: "bar" });
      bar.style.setProperty("--start", start);
      bar.style.setProperty("--share", share);
      return element("span", { class: "lane" }, bar);
    }

    // ---- choosing a run

    select(number, { isAsked = false } = {}) {
      const run = this.picture.runs[number - 1];
      if (!run) return;
      this.grow(number);
      const before = this.rows[this.selected - 1]?.firstChild;
      before?.removeAttribute("aria-current");
      before?.setAttribute("tabindex", "-1");
      this.selected = number;
      const button = this.rows[number - 1].firstChild;
      button.setAttribute("aria-current", "true");
      button.setAttribute("tabindex", "0");
      this.read(run);
      this.scrollList(this.rows[number - 1]);
      if (isAsked) {
        history.replaceState(null, "", `#run-${encodeURIComponent(run.id)}@${encodeURI(this.anchor)}`);
        if (COARSE.matches) scrollTo(this.reader, "start");
      }
    }

    scrollList(row) {
      const list = this.list;
      if (list.scrollHeight <= list.clientHeight) return;
      const top = row.offsetTop;
      if (top < list.scrollTop + 40 || top > list.scrollTop + list.clientHeight - 60) list.scrollTop = top - list.clientHeight / 3;
    }

    onKey(event) {
      const moves = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
      if (!(event.key in moves) || !this.list.contains(document.activeElement)) return;
      event.preventDefault();
      this.grow(this.picture.runs.length);
      const visible = this.rows.filter((row) => row.getClientRects().length);
      const here = visible.indexOf(document.activeElement.parentElement);
      const next = visible[Math.min(Math.max(here + moves[event.key], 0), visible.length - 1)];
      this.select(this.rows.indexOf(next) + 1);
      next.firstChild.focus({ preventScroll: true });
    }

    show(name) {
      this.buttons.forEach((button, place) => button.setAttribute("aria-pressed", String((place === 0) === (name === "timeline"))));
      for (const part of [this.timeline, this.filter, this.key, this.hint]) part.hidden = name !== "timeline";
      this.talk.hidden = name !== "talk";
      if (name === "talk" && !this.talk.children.length) this.talk.append(...this.picture.steps.map((step) => this.step(step)));
      if (name === "talk") this.talk.querySelector(".responsible")?.scrollIntoView({ block: "nearest" });
    }

    // ---- reading

    read(run) {
      const why = [
        ...(this.quoted.get(run.number) || []).map((each) => each.why),
        ...[...this.marks.candidates, ...this.marks.findings].filter((each) => each.run === run.number).map((each) => each.what),
      ].filter(Boolean);
      const notes = [...new Set(why)].map((words) => element("li", {}, words));
      const body = element(
        "div",
        { class: "run" },
        this.heading(run),
        this.facts(run),
        run.number === this.marks.responsible ? paragraph("This is where it went wrong.", "verdict") : null,
        run.error ? element("div", { class: "error" }, element("h5", {}, "Error"), this.text(run.error)) : null,
        ...this.side("Output", run.writes, run.outputs, 3),
        ...(notes.length ? [element("h5", {}, "What was found here"), element("ul", { class: "why" }, ...notes)] : []),
        ...this.side("Input", run.reads, run.inputs, 1),
      );
      if (!body.querySelector("mark")) this.quoteAlone(run, body);
      this.reader.replaceChildren(body);
      this.reader.scrollTop = 0;
      const mark = body.querySelector("mark");
      const below = mark ? mark.getBoundingClientRect().bottom - this.reader.getBoundingClientRect().bottom : 0;
      if (below > 0) this.reader.scrollTop = below + this.reader.clientHeight / 2;
    }

    // A quote may stand in a form of the run that is not shown here: then it is shown by itself.
    quoteAlone(run, body) {
      for (const each of this.quoted.get(run.number) || []) {
        body.querySelector(".facts").after(element("blockquote", {}, element("mark", {}, each.quote)));
      }
    }

    heading(run) {
      return element("h4", {}, element("span", { class: "number" }, `${run.number} `), run.name);
    }

    facts(run) {
      const seconds = this.picture.seconds(run);
      const tokens = run.input_tokens || run.output_tokens;
      const parts = [
        KINDS.get(run.kind) ?? run.kind,
        run.start !== undefined ? `${duration(run.start)} after the start` : "",
        seconds !== null ? `took ${duration(seconds)}` : "",
        tokens ? `${(run.input_tokens || 0).toLocaleString("en")} tokens in, ${(run.output_tokens || 0).toLocaleString("en")} out` : "",
        run.is_pending ? "not finished" : "",
      ].filter(Boolean);
      const links = this.picture.above(run).flatMap((up) => [this.link(up), " \u203a "]);
      return element("div", { class: "facts" }, paragraph(parts.join(" \u00b7 ")), links.length ? element("p", { class: "path" }, "inside ", ...links.slice(0, -1)) : null);
    }

    link(run) {
      const made = element("a", { href: `#run-${encodeURIComponent(run.id)}@${encodeURI(this.anchor)}` }, run.name);
      made.addEventListener("click", (event) => {
        event.preventDefault();
        this.show("timeline");
        this.select(run.number, { isAsked: true });
      });
      return made;
    }

    side(title, places, value, open) {
      const all = (places || []).map((place) => this.picture.messages[place]);
      const known = all.map((message, place) => this.message(message, place >= all.length - open));
      const rest = value === undefined || value === null ? null : this.rest(this.picture.values[value], known.length > 0);
      if (!known.length && !rest) return [];
      return [element("h5", {}, title), ...known, rest];
    }

    message(message, isOpen) {
      const body = [this.said(message), ...(message.calls || []).map((call) => element("pre", { class: "call" }, ...marked(call, this.patterns)))];
      if (message.thinking) body.unshift(element("div", { class: "thinking" }, element("b", {}, "thinking"), this.text(message.thinking)));
      const holds = body.some((each) => each.matches?.("mark") || each.querySelector?.("mark"));
      const preview = (message.text || (message.calls || []).join(" ")).slice(0, 120);
      const label = [element("b", {}, this.speaker(message)), " ", element("span", { class: "preview" }, preview)];
      return element("details", { class: `message ${message.is_error ? "failed" : ""}`, open: isOpen || holds }, element("summary", {}, ...label), ...body);
    }

    // What tools return is data more often than prose.
    said(message) {
      const text = message.text || "";
      return message.role === "tool" ? this.text(readableWith(text, this.patterns), "data") : this.text(text);
    }

    speaker(message) {
      const role = ROLES.get(message.role) ?? message.role;
      return message.name ? `${role}: ${message.name}` : role;
    }

    rest(value, isExtra) {
      const shown = this.text(readableWith(value, this.patterns), "data");
      const isOpen = !isExtra || shown.querySelector("mark");
      return element("details", { class: "message", open: Boolean(isOpen) }, element("summary", {}, element("b", {}, isExtra ? "other data" : "data")), shown);
    }

    // Long texts are folded, behind the first mark where there is one.
    text(text, kind = "") {
      const raised = /^Traceback \(most recent call last\)/mu.test(text) ? text.trim().split("\n").at(-1) : "";
      if (!raised || raised === text.trim()) return this.plain(text, kind);
      const rest = this.plain(text, kind);
      const whole = element("details", { open: Boolean(rest.querySelector("mark")) }, element("summary", {}, "Traceback"), rest);
      return element("div", {}, element("div", { class: `text ${kind}` }, ...marked(raised, this.patterns)), whole);
    }

    plain(text, kind) {
      const made = element("div", { class: `text ${kind}` });
      const end = Math.max(FOLDED, (spans(text, this.patterns)[0]?.[1] ?? 0) + FOLDED / 4);
      if (text.length <= end + FOLDED / 4) {
        made.append(...marked(text, this.patterns));
        return made;
      }
      const more = element("button", { type: "button", class: "more" }, `Show all ${text.length.toLocaleString("en")} characters`);
      more.addEventListener("click", () => made.replaceChildren(...marked(text, this.patterns)));
      made.append(...marked(text.slice(0, end), this.patterns), "\u2026 ", more);
      return made;
    }

    step(step) {
      const message = this.picture.messages[step.message];
      const run = this.picture.runs[step.run - 1];
      const isOwn = message.role !== "user" || (run.writes || []).includes(step.message);
      const isResponsible = isOwn && step.run === this.marks.responsible;
      const where = element("a", { href: `#run-${encodeURIComponent(run.id)}@${encodeURI(this.anchor)}` }, `step ${step.run}`);
      where.addEventListener("click", (event) => {
        event.preventDefault();
        this.select(step.run, { isAsked: true });
      });
      const role = ROLES.get(message.role) ?? message.role;
      const head = element("p", { class: "who" }, element("b", {}, role), message.role === "tool" && step.speaker ? ` ${step.speaker}` : "", " ", where, isResponsible ? element("span", { class: "flag strong" }, "went wrong here") : null);
      const calls = (message.calls || []).map((call) => element("pre", { class: "call" }, ...marked(call, this.patterns)));
      return element("li", { class: `${ROLES.has(message.role) ? message.role : ""} ${isResponsible ? "responsible" : ""}` }, head, message.text ? this.said(message) : null, ...calls);
    }
  }

  // ---- the list and its filters

  const entries = [...document.querySelectorAll(".entries > li:not(.of-trace)")];
  const heads = [...document.querySelectorAll(".entries > .of-trace")];
  const form = document.querySelector(".filters");

  function filter() {
    const chosen = new FormData(form);
    const outcomes = chosen.getAll("outcome");
    const words = (chosen.get("text") || "").toLowerCase().split(/\s+/u).filter(Boolean);
    const [cause, tag] = [chosen.get("cause") || "", chosen.get("tag") || ""];
    let count = 0;
    for (const entry of entries) {
      const text = (entry.words ??= wordsOf(entry));
      const fits =
        outcomes.includes(entry.dataset.outcome) &&
        (!cause || entry.dataset.cause === cause) &&
        (!tag || entry.dataset.tags.split(" ").includes(tag)) &&
        words.every((word) => text.includes(word));
      entry.hidden = !fits;
      count += fits;
    }
    for (const head of heads) head.hidden = !entries.some((entry) => !entry.hidden && entry.dataset.trace === head.dataset.trace);
    document.querySelector(".found").textContent = count === entries.length ? `${count} shown` : `${count} of ${entries.length} shown`;
  }

  function wordsOf(entry) {
    const item = itemOf(entry);
    return `${entry.textContent} ${[...item.querySelectorAll(".lead, .because, .root-cause")].map((each) => each.textContent).join(" ")}`.toLowerCase();
  }

  function itemOf(entry) {
    return document.getElementById(decoded(entry.querySelector("a").getAttribute("href").slice(1)));
  }

  // ---- addresses: "", #item-<id>, #run-<run id>@item-<id>, #run-<run id>

  const views = new Map();
  let current = null;

  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  function viewOf(item) {
    const section = item.querySelector(".trace");
    if (!section?.dataset.picture) return null;
    if (!views.has(item)) views.set(item, new TraceView(section, item.id));
    return views.get(item);
  }

  function asked() {
    const hash = location.hash.slice(1);
    const [, run, anchor] = /^run-([^@]*)(?:@(.*))?$/u.exec(hash) || [];
    if (run === undefined) return { item: itemAt(decoded(hash)), run: null };
    return { item: anchor ? itemAt(decoded(anchor)) : itemWith(decoded(run)), run: decoded(run) };
  }

  // An item has its name and its whole node id as addresses.
  function itemAt(id) {
    const found = document.getElementById(id);
    return found?.closest(".item") ?? found;
  }

  function itemWith(runId) {
    for (const item of document.querySelectorAll(".item")) {
      const picture = item.querySelector(".trace")?.dataset.picture;
      const data = picture && JSON.parse(document.getElementById(picture).textContent);
      if (data && data.runs.some((run) => run.id === runId)) return item;
    }
    return null;
  }

  function route() {
    const { item, run } = asked();
    const shown = item?.classList.contains("item") ? item : null;
    document.documentElement.classList.toggle("at-item", shown !== null);
    document.querySelectorAll(".item.shown").forEach((each) => each.classList.toggle("shown", each === shown));
    document.querySelector(".way").hidden = shown === null;
    if (shown) open(shown, run);
    else close();
  }

  function open(item, runId) {
    item.classList.add("shown");
    neighbours(item);
    const view = viewOf(item);
    if (view && (view.selected === null || runId !== null)) {
      const run = view.picture.runs.find((each) => each.id === runId);
      view.select(run?.number ?? view.first);
    }
    if (current !== item) item.querySelector("h2").focus({ preventScroll: true });
    current = item;
    if (runId !== null && view) scrollTo(view.section, "start");
    else window.scrollTo(0, 0);
  }

  function close() {
    if (!current) return;
    const link = entries.find((entry) => itemOf(entry) === current)?.querySelector("a");
    current = null;
    if (location.hash && location.hash !== "#") return;
    link?.focus({ preventScroll: true });
    link?.scrollIntoView({ block: "center" });
  }

  function neighbours(item) {
    const visible = entries.filter((entry) => !entry.hidden);
    const here = visible.findIndex((entry) => itemOf(entry) === item);
    for (const [kind, place] of [["before", here - 1], ["after", here + 1]]) {
      const link = document.querySelector(`.way .${kind}`);
      const target = here < 0 ? undefined : visible[place];
      link.hidden = !target;
      if (target) link.setAttribute("href", target.querySelector("a").getAttribute("href"));
    }
  }

  document.documentElement.classList.add("scripted");
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
  window.addEventListener("hashchange", route);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(input|select|textarea)$/iu.test(event.target.tagName)) return;
    if (event.key === "/" && !current) {
      event.preventDefault();
      form.elements.text.focus();
    } else if (event.key === "Escape" && current) {
      location.hash = "";
    }
  });
  route();
})();
