// The page: tables of columns and checks, sections for keys and labels, one search over all of them. A column is opened by its
// address (#column-3), so that links, back and forward work; its panel is built then. `/` goes to the search, Escape leaves it.
(function () {
  "use strict";
  var make = lsml.make, foreign = lsml.foreign;
  var quality = JSON.parse(document.getElementById("quality").textContent);
  quality.columns.forEach(function (column) {  // figures by name again
    var listed = column.figures;
    column.figures = {};
    quality.metrics[column.kind].forEach(function (metric, place) { if (listed[place] !== null) column.figures[metric] = listed[place]; });
  });
  lsml.nights = quality.nights;
  lsml.digits = quality.digits;
  lsml.width = quality.usual.width;
  lsml.midnight = Date.parse(quality.date + "T00:00:00Z");
  var GRAVE = { fail: 3, warn: 2, quarantine: 1 };
  var query = document.getElementById("query"), rows = [], lists = [], opened = null;

  function into(section, children) {
    var place = document.querySelector("#" + section + " > .place-of");
    if (place) [].concat(children).forEach(function (child) { if (child) place.append(child); });
  }
  function link(index) { return make("a", { href: "#column-" + index }, foreign(quality.columns[index].name)); }
  function lower() { return Array.prototype.slice.call(arguments).filter(Boolean).join(" ").toLowerCase(); }

  // ---- columns
  function shape(column) {
    if (column.bins) return lsml.bars(column.bins.now, column.bins.last, "tiny");
    if (!column.top) return null;
    function part(which) { return column.rest && column.rest[which] !== null ? column.top.map(function (row) { return row[which + 1]; }) : null; }
    var now = part(0), last = part(1);
    return now || last ? lsml.bars(now, last, "tiny") : null;
  }
  function cell(label, children, more) { return make("td", { "data-label": label, class: more || "n" }, children); }

  function columnRow(column, index) {
    var missing = lsml.read(column.figures.missing_share), distinct = lsml.read(column.figures.distinct), drift = column.drift && ("linf" in column.drift ? column.drift.linf : column.drift.js);
    var outside = Object.keys(column.figures).filter(function (name) { return lsml.read(column.figures[name]).side; }).length;
    var checks = (column.checks || []).map(function (place) { return quality.checks[place]; });
    var broken = checks.filter(function (check) { return !check.ok; });
    var anchor = make("a", { href: "#column-" + index, "aria-expanded": "false" }, foreign(column.name));
    var worst = GRAVE[column.worst] || 0;
    var verdict = worst ? [make("span", { class: "chip " + column.worst }, column.worst), broken.length > 1 ? make("small", null, " " + broken.length + " of " + checks.length) : null]
      : make("span", { class: "quiet" }, checks.length ? (checks.length === 1 ? "holds" : checks.length + " hold") : "none");
    var element = make("tr", { id: "row-" + index }, [
      make("th", { scope: "row" }, [anchor, column.state ? make("span", { class: "chip state" }, column.state) : null, make("small", { class: "narrow-only" }, foreign(column.type))]),
      cell("Type", foreign(column.type), "type wide-only"),
      cell("Missing", [lsml.percent(missing.now), " ", lsml.side(missing.side)]),
      cell("Distinct", [lsml.count(distinct.now), " ", lsml.side(distinct.side)]),
      cell("Distribution", shape(column), "shape"),
      cell("Drift", lsml.isNumber(drift) ? drift.toFixed(2) : "–"),
      cell("Unusual", outside ? make("b", null, String(outside)) : make("span", { class: "quiet" }, "0")),
      cell("Checks", verdict, "worst")
    ]);
    return {
      element: element, anchor: anchor, index: index, panel: null,
      text: lower(column.name, column.type, column.kind, column.state, checks.map(function (check) { return check.check; }).join(" "), (column.top || []).map(function (row) { return row[0]; }).join(" ")),
      sort: {
        column: column.name.toLowerCase(), type: column.type, missing: missing.now, distinct: distinct.now, drift: drift, unusual: outside,
        worst: worst * 1e6 + (column.state ? 5e5 : 0) + outside * 1e3 + (drift || 0), order: index
      }
    };
  }

  var HEAD = [["column", "Column"], ["type", "Type"], ["missing", "Missing", 1], ["distinct", "Distinct", 1], [null, "Distribution"], ["drift", "Drift", 1], ["unusual", "Unusual", 1], ["worst", "Checks"]];
  var HINTS = {
    drift: "Against the last good night, 0 to 1: Jensen–Shannon distance of numbers, largest share moved of categories", unusual: "Figures outside their usual range over the nights", worst: "The gravest first"
  };
  var body = make("tbody"), heads = {};

  function sortBy(name, ascending) {
    rows.sort(function (a, b) {
      var x = a.sort[name], y = b.sort[name], known = (lsml.isNumber(x) || typeof x === "string") - (lsml.isNumber(y) || typeof y === "string");
      if (known) return -known;  // what has no value comes last, whichever way
      return (x < y ? -1 : x > y ? 1 : 0) * (ascending ? 1 : -1) || a.index - b.index;
    });
    Object.keys(heads).forEach(function (key) {
      if (key === name) heads[key].setAttribute("aria-sort", ascending ? "ascending" : "descending"); else heads[key].removeAttribute("aria-sort");
    });
    var all = document.createDocumentFragment();
    rows.forEach(function (row) { all.append(row.element); if (row === opened) all.append(row.panel); });
    body.append(all);
  }

  function columns() {
    if (!quality.columns.length) return into("columns", make("p", { class: "calm" }, "There is no profile of this night’s columns."));
    var head = HEAD.map(function (item) {
      if (!item[0]) return make("th", { scope: "col" }, item[1]);
      var button = make("button", { type: "button", title: HINTS[item[0]] }, item[1]);
      heads[item[0]] = make("th", { scope: "col", class: item[2] ? "n" : null }, button);
      button.addEventListener("click", function () {
        var now = heads[item[0]].getAttribute("aria-sort"), text = item[0] === "column" || item[0] === "type";
        sortBy(item[0], now ? now !== "ascending" : text);
      });
      return heads[item[0]];
    });
    rows = quality.columns.map(columnRow);
    sortBy("worst", false);
    var order = make("button", { type: "button", class: "plain" }, "Order of the data");
    order.addEventListener("click", function () { sortBy("order", true); });
    var dated = quality.last_good ? lsml.legend(quality.last_good) : null;
    into("columns", [
      make("div", { class: "above" }, [dated, order]),
      make("div", { class: "scroll", role: "region", "aria-label": "All columns", tabindex: "0" }, make("table", { class: "columns" }, [make("thead", null, make("tr", null, head)), body]))
    ]);
  }

  function open(row) {
    if (opened && opened !== row) close(opened);
    if (!row) return;
    if (!row.panel) row.panel = make("tr", { class: "detail", id: "panel-" + row.index }, make("td", { colspan: HEAD.length }, lsml.panel(quality.columns[row.index], quality)));
    row.element.after(row.panel);
    row.element.hidden = false;
    row.anchor.setAttribute("aria-expanded", "true");
    row.element.classList.add("open");
    opened = row;
  }
  function close(row) {
    if (row.panel) row.panel.remove();
    row.anchor.setAttribute("aria-expanded", "false");
    row.element.classList.remove("open");
    if (opened === row) opened = null;
  }
  function follow() {
    var found = /^#column-(\d+)$/.exec(location.hash), row = found && rows.filter(function (item) { return item.index === Number(found[1]); })[0];
    if (!row) { if (opened) close(opened); return; }
    open(row);
    row.anchor.focus({ preventScroll: true });
    row.element.scrollIntoView({ block: "start" });
  }

  // ---- checks
  function checkRow(check) {
    var figure = lsml.read(check.measured), metric = lsml.isNumber(check.value) ? "" : "share";
    var element = make("tr", { class: check.ok ? "held" : null, hidden: check.ok ? "" : null }, [
      make("td", { class: "worst" }, lsml.chip(check)),
      make("th", { scope: "row" }, [foreign(check.check), check.message ? make("small", null, foreign(check.message)) : null]),
      cell("Column", check.column === null ? "–" : link(check.column), "type"),
      cell("Measured", [lsml.measured(check, "now"), " ", lsml.side(figure.side)]),
      cell("Allowed", lsml.isNumber(check.at_most) && metric ? lsml.percent(check.at_most) : "–"),
      cell("Last good", lsml.measured(check, "last"), "n quiet"),
      cell("Trend", lsml.trend(figure, metric), "trend-of")
    ]);
    var column = check.column === null ? "" : quality.columns[check.column].name;
    return { element: element, held: check.ok, text: lower(check.check, check.rule, check.severity, check.message, column, check.ok ? "holds" : "broken") };
  }

  function checks() {
    if (!quality.checks.length) return into("checks", make("p", { class: "calm" }, "No check looked at this night."));
    var found = quality.checks.map(checkRow), held = found.filter(function (row) { return row.held; });
    lists.push({ name: "check", rows: found, hide: function (row) { return row.held && !shown; } });
    var shown = held.length === found.length || held.length <= 5;
    var button = make("button", { type: "button", class: "plain", "aria-expanded": String(shown) }, "");
    function say() {
      button.textContent = (shown ? "Hide" : "Show") + " the " + held.length + " that hold";
      button.setAttribute("aria-expanded", String(shown));
      search();
    }
    button.addEventListener("click", function () { shown = !shown; say(); });
    var head = ["Verdict", "Check", "Column", "*Measured", "*Allowed", "*" + (quality.last_good || "Before"), "Trend"];
    into("checks", [
      make("div", { class: "above" }, [make("p", { class: "quiet" }, (found.length - held.length) + " of " + found.length + " found something."), held.length && held.length < found.length ? button : null]),
      make("div", { class: "scroll", role: "region", "aria-label": "All checks", tabindex: "0" }, lsml.table(head, found.map(function (row) { return row.element; }), "checks")),
      make("h3", null, "The day as a whole"), make("div", { class: "scroll day" }, lsml.figures(quality.table, undefined, quality.last_good))
    ]);
    say();
  }

  // ---- keys and labels
  var KEYS = { rows: "Rows in the window", keys: "Keys", hapaxes: "Seen once", unseen_mass: "Rows to come with an unseen key", unseen_keys: "Unseen keys, about" };
  function facts(keys) {
    return make("dl", { class: "facts" }, Object.keys(KEYS).filter(function (name) { return lsml.isNumber(keys.figures[name][0]); }).map(function (name) {
      var write = name === "unseen_mass" ? lsml.percent : lsml.count, last = keys.figures[name][1];
      return make("div", null, [make("dt", null, KEYS[name]), make("dd", null, [write(keys.figures[name][0]), lsml.isNumber(last) ? make("small", null, " from " + write(last)) : null])]);
    }));
  }
  function climbed(rank, before, since) {
    if (!since) return "";
    if (before === null || before === undefined) return "new";
    return before === rank ? "=" : before > rank ? "▲ " + (before - rank) : "▼ " + (rank - before);
  }
  function keys() {
    var keys = quality.keys;
    if (!keys) return;
    var found = keys.top.map(function (row, index) {
      var element = make("tr", null, [
        make("td", { class: "n quiet" }, String(index + 1)), make("td", { class: "value" }, foreign(row[0])), make("td", { class: "n" }, lsml.count(row[1])),
        keys.since ? make("td", { class: "n quiet" }, lsml.count(row[3])) : null, keys.since ? make("td", { class: "n" }, climbed(index + 1, row[2], keys.since)) : null
      ]);
      return { element: element, text: lower(row[0]) };
    });
    lists.push({ name: "key", rows: found });
    var head = ["*Rank", "Key", "*Rows"].concat(keys.since ? ["*" + keys.since, "*Moved"] : []);
    var curve = keys.curve[0] ? lsml.loglog(keys.curve, "Rows per key by rank, both logarithmic") : null;
    into("keys", [
      "column" in keys ? make("p", { class: "quiet" }, ["The key is the column ", link(keys.column), "."]) : null,
      facts(keys),
      make("div", { class: "pair" }, [
        curve ? make("figure", null, [make("figcaption", null, [make("b", null, "Rows per key by rank"), " both axes logarithmic"]), curve.drawn,
          make("div", { class: "axis" }, [make("span", null, "rank 1, " + lsml.count(curve.top) + " rows"), make("span", null, "rank " + lsml.count(curve.right))]), lsml.legend(keys.curve[1] ? keys.since : null)]) : null,
        make("div", null, [make("div", { class: "scroll tall", role: "region", "aria-label": "Most frequent keys", tabindex: "0" }, lsml.table(head, found.map(function (row) { return row.element; }), "shares")),
          keys.gone.length ? make("p", { class: "list" }, [make("b", null, "No longer among the first "), keys.gone.map(function (row) { return row[0]; }).slice(0, 8).join("; ")]) : null])
      ])
    ]);
  }
  function labels() {
    var found = quality.labels;
    if (!found) return;
    var table = lsml.shares(found.top, found.rest, found.against, "Label");
    var items = Array.prototype.map.call(table.querySelectorAll("tbody tr"), function (row) { return { element: row, text: row.dataset.find }; });
    lists.push({ name: "label", rows: items.filter(function (item) { return item.text; }) });
    var words = [lsml.count(found.rows) + " rows of the day carry " + lsml.count(found.distinct[0]) + " labels"];
    if (found.against) words.push("; " + lsml.count(found.distinct[1]) + " in " + found.against);
    if (lsml.isNumber(found.drift.js)) words.push("; Jensen–Shannon distance " + found.drift.js.toFixed(2) + ", largest share moved " + lsml.percent(found.drift.linf));
    into("labels", [
      make("p", { class: "quiet" }, words.concat([".", "column" in found ? " The label is the column " : null, "column" in found ? link(found.column) : null, "column" in found ? "." : null])),
      make("div", { class: "scroll narrow" }, table),
      found.checks.length ? make("ul", { class: "checks-of" }, found.checks.map(function (place) {
        var check = quality.checks[place];
        return make("li", null, [lsml.chip(check), " ", make("b", null, foreign(check.check)), " ", make("span", { class: "quiet" }, foreign(check.message))]);
      })) : null
    ]);
  }

  // ---- search
  function search() {
    var words = query.value.toLowerCase().split(/\s+/).filter(Boolean), said = [];
    function hit(row) { return words.every(function (word) { return row.text.indexOf(word) >= 0; }); }
    [{ name: "column", rows: rows }].concat(lists).forEach(function (list) {
      var hits = list.rows.filter(hit).length;
      list.rows.forEach(function (row) {
        row.element.hidden = words.length ? !hit(row) : Boolean(list.hide && list.hide(row));
        if (row.panel) row.panel.hidden = row.element.hidden;
      });
      if (words.length) said.push(lsml.count(hits) + " " + list.name + (hits === 1 ? "" : "s"));
    });
    var text = words.length ? said.join(", ") : "";
    if (document.getElementById("hits").textContent !== text) document.getElementById("hits").textContent = text;
  }
  query.addEventListener("input", search);
  query.addEventListener("keydown", function (event) {
    if (event.key === "Enter") {
      var first = rows.filter(function (row) { return !row.element.hidden; })[0];
      if (first) { event.preventDefault(); if (location.hash === "#column-" + first.index) follow(); else location.hash = "column-" + first.index; }
    } else if (event.key === "Escape") { query.value = ""; search(); query.blur(); }
  });
  document.addEventListener("keydown", function (event) {
    var typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); query.focus(); query.select(); }
    if (event.key === "Escape" && !typing && opened) { var row = opened; location.hash = "columns"; row.anchor.focus(); }
  });
  body.addEventListener("click", function (event) {
    var anchor = event.target.closest("a[aria-expanded=true]");
    if (anchor) { event.preventDefault(); location.hash = "columns"; anchor.focus(); }
  });
  document.addEventListener("pointermove", function (event) {
    var drawn = event.target.closest && event.target.closest("svg.trend");
    if (!drawn || !drawn.lsmlTell) return;
    var box = drawn.getBoundingClientRect(), around = drawn.closest(".panel, .day");
    var words = drawn.lsmlTell(Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)));
    var tell = around && around.querySelector(".tell");
    if (tell) tell.textContent = words;
    drawn.parentNode.title = words;
  });
  window.addEventListener("hashchange", follow);
  // On paper a narrow table shows every column's panel; a wide one only those that are open.
  var before = null;
  window.addEventListener("beforeprint", function () {
    before = opened;
    var shown = rows.filter(function (row) { return !row.element.hidden; });
    if (shown.length <= 24) shown.forEach(function (row) { open(row); opened = null; });
  });
  window.addEventListener("afterprint", function () {
    rows.forEach(function (row) { if (row !== before) close(row); });
    opened = before;
  });

  columns();
  checks();
  keys();
  labels();
  follow();
})();
