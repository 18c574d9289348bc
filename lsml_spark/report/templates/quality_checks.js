// The table of checks, broken ones first, what each measured and its nights; those that hold are shown on demand.
(function () {
  "use strict";
  var make = lsml.make,
    foreign = lsml.foreign;
  function checkRow(check) {
    var quality = lsml.quality;
    var metric = lsml.isNumber(check.value) ? "" : "share",
      figure = lsml.read(check.measured, metric);
    var element = make("tr", { class: check.ok ? "held" : null, hidden: check.ok ? "" : null }, [
      make("td", { class: "worst" }, lsml.chip(check)),
      make("th", { scope: "row" }, [foreign(check.check), check.message ? make("small", null, foreign(check.message)) : null]),
      lsml.cell("Column", check.column === null ? "–" : lsml.link(check.column), "type"),
      lsml.cell("Measured", [lsml.measured(check, "now"), " ", lsml.side(figure.side)]),
      lsml.cell("Allowed", lsml.isNumber(check.at_most) && metric ? lsml.percent(check.at_most) : "–"),
      lsml.cell("Last good", lsml.measured(check, "last"), "n quiet"),
      lsml.cell("Trend", lsml.trend(figure, metric), "trend-of")
    ]);
    var column = check.column === null ? "" : quality.columns[check.column].name;
    return {
      element: element,
      held: check.ok,
      text: lsml.lower(check.check, check.rule, check.severity, check.message, column, check.ok ? "holds" : "broken")
    };
  }

  lsml.checks = function () {
    var quality = lsml.quality;
    if (!quality.checks.length) return lsml.into("checks", make("p", { class: "calm" }, "No check looked at this night."));
    var found = quality.checks.map(checkRow),
      held = found.filter(function (row) {
        return row.held;
      });
    lsml.lists.push({
      name: "check",
      rows: found,
      hide: function (row) {
        return row.held && !shown;
      }
    });
    var shown = held.length === found.length || held.length <= 5;
    var button = make("button", { type: "button", class: "plain", "aria-expanded": String(shown) }, "");
    function say() {
      button.textContent = (shown ? "Hide" : "Show") + " the " + held.length + " that hold";
      button.setAttribute("aria-expanded", String(shown));
      lsml.search();
    }
    button.addEventListener("click", function () {
      shown = !shown;
      say();
    });
    var head = ["Verdict", "Check", "Column", "*Measured", "*Allowed", "*" + (quality.last_good || "Before"), "Trend"];
    lsml.into("checks", [
      make("div", { class: "above" }, [
        make("p", { class: "quiet" }, found.length - held.length + " of " + found.length + " found something."),
        held.length && held.length < found.length ? button : null
      ]),
      make(
        "div",
        { class: "scroll", role: "region", "aria-label": "All checks", tabindex: "0" },
        lsml.table(
          head,
          found.map(function (row) {
            return row.element;
          }),
          "checks"
        )
      ),
      make("h3", null, "The day as a whole"),
      make("div", { class: "scroll day" }, lsml.figures(quality.table, undefined, quality.last_good))
    ]);
    say();
  };
})();
