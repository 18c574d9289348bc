// The table of columns: tonight's figures of each, sorted by any of them, the gravest first. A column is opened by its address
// (#column-3), so that links, back and forward work; its panel is built then.
(function () {
  "use strict";
  var make = lsml.make,
    foreign = lsml.foreign;
  var GRAVE = { fail: 3, warn: 2, quarantine: 1 };
  var rows = [],
    opened = null;

  function shape(column) {
    if (column.bins) return lsml.bars(column.bins.now, column.bins.last, "tiny");
    if (!column.top) return null;
    function part(which) {
      return column.rest && column.rest[which] !== null
        ? column.top.map(function (row) {
            return row[which + 1];
          })
        : null;
    }
    var now = part(0),
      last = part(1);
    return now || last ? lsml.bars(now, last, "tiny") : null;
  }

  function columnRow(column, index) {
    var quality = lsml.quality;
    var missing = lsml.read(column.figures.missing_share, "missing_share"),
      distinct = lsml.read(column.figures.distinct, "distinct"),
      drift = column.drift && ("linf" in column.drift ? column.drift.linf : column.drift.js);
    var usual =
      Object.keys(column.figures).some(function (name) {
        var figure = lsml.read(column.figures[name], name);
        return figure.constant || lsml.isNumber(figure.low);
      }) && lsml.nights.length > lsml.quality.usual.nights;
    var outside = Object.keys(column.figures).filter(function (name) {
      return lsml.read(column.figures[name], name).side;
    }).length;
    var checks = (column.checks || []).map(function (place) {
      return quality.checks[place];
    });
    var broken = checks.filter(function (check) {
      return !check.ok;
    });
    var anchor = make("a", { href: "#column-" + index, "aria-expanded": "false" }, foreign(column.name));
    var worst = GRAVE[column.worst] || 0;
    var verdict = worst
      ? [
          make("span", { class: "chip " + column.worst }, column.worst),
          broken.length > 1 ? make("small", null, " " + broken.length + " of " + checks.length) : null
        ]
      : make("span", { class: "quiet" }, checks.length ? (checks.length === 1 ? "holds" : checks.length + " hold") : "none");
    var element = make("tr", { id: "row-" + index }, [
      make("th", { scope: "row" }, [
        anchor,
        column.state ? make("span", { class: "chip state" }, column.state) : null,
        make("small", { class: "narrow-only" }, foreign(column.type))
      ]),
      lsml.cell("Type", foreign(column.type), "type wide-only"),
      lsml.cell("Missing", [lsml.percent(missing.now), " ", lsml.side(missing.side)]),
      lsml.cell("Distinct", [lsml.count(distinct.now), " ", lsml.side(distinct.side)]),
      lsml.cell("Distribution", shape(column), "shape"),
      lsml.cell("Drift", lsml.isNumber(drift) ? drift.toFixed(2) : "–"),
      lsml.cell("Unusual", outside ? make("b", null, String(outside)) : make("span", { class: "quiet" }, usual ? "0" : "–")),
      lsml.cell("Checks", verdict, "worst")
    ]);
    return {
      element: element,
      anchor: anchor,
      index: index,
      panel: null,
      text: lsml.lower(
        column.name,
        column.type,
        column.kind,
        column.state,
        checks
          .map(function (check) {
            return check.check;
          })
          .join(" "),
        (column.top || [])
          .map(function (row) {
            return row[0];
          })
          .join(" ")
      ),
      sort: {
        column: column.name.toLowerCase(),
        type: column.type,
        missing: missing.now,
        distinct: distinct.now,
        drift: drift,
        unusual: outside,
        worst: worst * 1e6 + (column.state ? 5e5 : 0) + outside * 1e3 + (drift || 0),
        order: index
      }
    };
  }

  var HEAD = [
    ["column", "Column"],
    ["type", "Type"],
    ["missing", "Missing", 1],
    ["distinct", "Distinct", 1],
    [null, "Distribution"],
    ["drift", "Drift", 1],
    ["unusual", "Unusual", 1],
    ["worst", "Checks"]
  ];
  var HINTS = {
    drift: "Against the last good night, 0 to 1: Jensen–Shannon distance of numbers, largest share moved of categories",
    unusual: "Figures outside their usual range over the nights: a note, no warning",
    worst: "The gravest first"
  };
  var body = make("tbody"),
    heads = {};

  function sortBy(name, ascending) {
    rows.sort(function (a, b) {
      var x = a.sort[name],
        y = b.sort[name],
        known = (lsml.isNumber(x) || typeof x === "string") - (lsml.isNumber(y) || typeof y === "string");
      if (known) return -known; // what has no value comes last, whichever way
      return (x < y ? -1 : x > y ? 1 : 0) * (ascending ? 1 : -1) || a.index - b.index;
    });
    Object.keys(heads).forEach(function (key) {
      if (key === name) heads[key].setAttribute("aria-sort", ascending ? "ascending" : "descending");
      else heads[key].removeAttribute("aria-sort");
    });
    var all = document.createDocumentFragment();
    rows.forEach(function (row) {
      all.append(row.element);
      if (row === opened) all.append(row.panel);
    });
    body.append(all);
  }

  lsml.columns = function () {
    var quality = lsml.quality;
    if (!quality.columns.length)
      return lsml.into("columns", make("p", { class: "calm" }, "There is no profile of this night’s columns."));
    var head = HEAD.map(function (item) {
      if (!item[0]) return make("th", { scope: "col" }, item[1]);
      var button = make("button", { type: "button", title: HINTS[item[0]] }, item[1]);
      heads[item[0]] = make("th", { scope: "col", class: item[2] ? "n" : null }, button);
      button.addEventListener("click", function () {
        var now = heads[item[0]].getAttribute("aria-sort"),
          text = item[0] === "column" || item[0] === "type";
        sortBy(item[0], now ? now !== "ascending" : text);
      });
      return heads[item[0]];
    });
    quality.columns.forEach(function (column, index) {
      rows.push(columnRow(column, index));
    });
    sortBy("worst", false);
    var order = make("button", { type: "button", class: "plain" }, "Order of the data");
    order.addEventListener("click", function () {
      sortBy("order", true);
    });
    var dated = quality.last_good ? lsml.legend(quality.last_good) : null;
    lsml.into("columns", [
      make("div", { class: "above" }, [dated, order]),
      make(
        "div",
        { class: "scroll", role: "region", "aria-label": "All columns", tabindex: "0" },
        make("table", { class: "columns" }, [make("thead", null, make("tr", null, head)), body])
      )
    ]);
    body.addEventListener("click", function (event) {
      var anchor = event.target.closest("a[aria-expanded=true]");
      if (anchor) {
        event.preventDefault();
        location.hash = "columns";
        anchor.focus();
      }
    });
    window.addEventListener("hashchange", follow);
    follow();
  };

  function open(row) {
    if (opened && opened !== row) close(opened);
    if (!row) return;
    if (!row.panel)
      row.panel = make(
        "tr",
        { class: "detail", id: "panel-" + row.index },
        make("td", { colspan: HEAD.length }, lsml.panel(lsml.quality.columns[row.index]))
      );
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
    var found = /^#column-(\d+)$/.exec(location.hash),
      row =
        found &&
        rows.filter(function (item) {
          return item.index === Number(found[1]);
        })[0];
    if (!row) {
      if (opened) close(opened);
      return;
    }
    open(row);
    row.anchor.focus({ preventScroll: true });
    row.element.scrollIntoView({ block: "start" });
  }

  // On paper a narrow table shows every column's panel; a wide one only the one that is open.
  var before = null;
  window.addEventListener("beforeprint", function () {
    before = opened;
    var shown = rows.filter(function (row) {
      return !row.element.hidden;
    });
    if (shown.length <= 24)
      shown.forEach(function (row) {
        open(row);
        opened = null;
      });
  });
  window.addEventListener("afterprint", function () {
    rows.forEach(function (row) {
      if (row !== before) close(row);
    });
    opened = before;
  });

  lsml.opened = function () {
    return opened;
  };
  lsml.follow = follow;
  lsml.lists.push({ name: "column", rows: rows });
})();
