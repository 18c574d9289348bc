// Keys of the training window and labels of the day, against those of the last night.
(function () {
  "use strict";
  var make = lsml.make,
    foreign = lsml.foreign;
  var KEYS = {
    rows: "Rows in the window",
    keys: "Keys",
    hapaxes: "Seen once",
    unseen_mass: "Rows to come with an unseen key",
    unseen_keys: "Unseen keys, about"
  };
  function facts(keys) {
    return make(
      "dl",
      { class: "facts" },
      Object.keys(KEYS)
        .filter(function (name) {
          return lsml.isNumber(keys.figures[name][0]);
        })
        .map(function (name) {
          var write = name === "unseen_mass" ? lsml.percent : lsml.count,
            last = keys.figures[name][1];
          return make("div", null, [
            make("dt", null, KEYS[name]),
            make("dd", null, [
              write(keys.figures[name][0]),
              lsml.isNumber(last) ? make("small", null, " from " + write(last)) : null
            ])
          ]);
        })
    );
  }
  function climbed(rank, before, since) {
    if (!since) return "";
    if (before === null || before === undefined) return "new";
    return before === rank ? "=" : before > rank ? "▲ " + (before - rank) : "▼ " + (rank - before);
  }
  lsml.keys = function () {
    var keys = lsml.quality.keys;
    if (!keys) return;
    var found = keys.top.map(function (row, index) {
      var element = make("tr", null, [
        make("td", { class: "n quiet" }, String(index + 1)),
        make("td", { class: "value" }, foreign(row[0])),
        make("td", { class: "n" }, lsml.count(row[1])),
        keys.since ? make("td", { class: "n quiet" }, lsml.count(row[3])) : null,
        keys.since ? make("td", { class: "n" }, climbed(index + 1, row[2], keys.since)) : null
      ]);
      return { element: element, text: lsml.lower(row[0]) };
    });
    lsml.lists.push({ name: "key", rows: found });
    var head = ["*Rank", "Key", "*Rows"].concat(keys.since ? ["*" + keys.since, "*Moved"] : []);
    var curve = keys.curve[0] ? lsml.loglog(keys.curve, "Rows per key by rank, both logarithmic") : null;
    lsml.into("keys", [
      "column" in keys ? make("p", { class: "quiet" }, ["The key is the column ", lsml.link(keys.column), "."]) : null,
      facts(keys),
      make("div", { class: "pair" }, [
        curve
          ? make("figure", null, [
              make("figcaption", null, [make("b", null, "Rows per key by rank"), " both axes logarithmic"]),
              curve.drawn,
              make("div", { class: "axis" }, [
                make("span", null, "rank 1, " + lsml.count(curve.top) + " rows"),
                make("span", null, "rank " + lsml.count(curve.right))
              ]),
              lsml.legend(keys.curve[1] ? keys.since : null)
            ])
          : null,
        make("div", null, [
          make(
            "div",
            { class: "scroll tall", role: "region", "aria-label": "Most frequent keys", tabindex: "0" },
            lsml.table(
              head,
              found.map(function (row) {
                return row.element;
              }),
              "shares"
            )
          ),
          keys.gone.length
            ? make("p", { class: "list" }, [
                make("b", null, "No longer among the first "),
                keys.gone
                  .map(function (row) {
                    return row[0];
                  })
                  .slice(0, 8)
                  .join("; ")
              ])
            : null
        ])
      ])
    ]);
  };

  lsml.labels = function () {
    var found = lsml.quality.labels;
    if (!found) return;
    var table = lsml.shares(found.top, found.rest, found.against, "Label");
    var items = Array.prototype.map.call(table.querySelectorAll("tbody tr"), function (row) {
      return { element: row, text: row.dataset.find };
    });
    lsml.lists.push({
      name: "label",
      rows: items.filter(function (item) {
        return item.text;
      })
    });
    var words = [lsml.count(found.rows) + " rows of the day carry " + lsml.count(found.distinct[0]) + " labels"];
    if (found.against) words.push("; " + lsml.count(found.distinct[1]) + " in " + found.against);
    if (lsml.isNumber(found.drift.js))
      words.push(
        "; Jensen–Shannon distance " + found.drift.js.toFixed(2) + ", largest share moved " + lsml.percent(found.drift.linf)
      );
    lsml.into("labels", [
      make(
        "p",
        { class: "quiet" },
        words.concat([
          ".",
          "column" in found ? " The label is the column " : null,
          "column" in found ? lsml.link(found.column) : null,
          "column" in found ? "." : null
        ])
      ),
      make("div", { class: "scroll narrow" }, table),
      found.checks.length ? lsml.checksAt(found.checks) : null
    ]);
  };
})();
