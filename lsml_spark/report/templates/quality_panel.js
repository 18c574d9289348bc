// What is known of one column, built when it is opened: distribution, values, checks, and every figure with its trend.
(function () {
  "use strict";
  var make = lsml.make,
    foreign = lsml.foreign;
  // In the order in which a column's figures are read.
  var WORDS = {
    rows: "rows",
    clean: "kept",
    kept_share: "kept, share",
    quarantined: "quarantined",
    missing: "missing, rows",
    missing_share: "missing, share",
    distinct: "distinct values",
    nan: "not a number",
    infinite: "infinite",
    min: "least",
    q01: "1 % quantile",
    q05: "5 % quantile",
    q25: "25 % quantile",
    median: "median",
    q75: "75 % quantile",
    q95: "95 % quantile",
    q99: "99 % quantile",
    max: "greatest",
    mean: "mean",
    stddev: "standard deviation",
    mad: "median deviation",
    zeros: "zeros",
    negative: "negative",
    empty: "empty texts",
    length_min: "shortest",
    length_mean: "mean length",
    length_max: "longest",
    true: "true",
    size_min: "smallest size",
    size_mean: "mean size",
    size_max: "largest size"
  };
  var ORDER = Object.keys(WORDS);
  lsml.words = function (metric) {
    return WORDS[metric] || metric.replace(/_/g, " ");
  };

  function table(head, rows, className) {
    var cells = head.map(function (name) {
      return make("th", { scope: "col", class: /^\*/.test(name) ? "n" : null }, name.replace("*", ""));
    });
    return make("table", { class: className }, [make("thead", null, make("tr", null, cells)), make("tbody", null, rows)]);
  }
  lsml.table = table;

  lsml.legend = function (against) {
    var parts = [make("span", { class: "key now" }, "tonight")];
    if (against) parts.push(make("span", { class: "key last" }, against));
    return make("p", { class: "legend" }, parts);
  };

  // ---- pieces that every section uses
  lsml.into = function (section, children) {
    var place = document.querySelector("#" + section + " > .place-of");
    if (place)
      [].concat(children).forEach(function (child) {
        if (child) place.append(child);
      });
  };
  lsml.link = function (index) {
    return make("a", { href: "#column-" + index }, foreign(lsml.quality.columns[index].name));
  };
  lsml.lower = function () {
    return Array.prototype.slice.call(arguments).filter(Boolean).join(" ").toLowerCase();
  };
  lsml.cell = function (label, children, more) {
    return make("td", { "data-label": label, class: more || "n" }, children);
  };

  // Every figure: tonight, then, what is usual, and its nights.
  lsml.figures = function (metrics, instant, last) {
    var several = lsml.nights.length > 1,
      constant = [],
      banded = false;
    var names = Object.keys(metrics).sort(function (a, b) {
      return (ORDER.indexOf(a) + 1 || 99) - (ORDER.indexOf(b) + 1 || 99) || (a < b ? -1 : 1);
    });
    var rows = names
      .filter(function (metric) {
        var same = several && lsml.read(metrics[metric], metric).constant;
        if (same) constant.push(lsml.words(metric) + " " + lsml.figure(metrics[metric], metric, instant));
        banded = banded || lsml.isNumber(lsml.read(metrics[metric], metric).low);
        return !same;
      })
      .map(function (metric) {
        var figure = lsml.read(metrics[metric], metric),
          drawn = lsml.trend(figure, metric, instant);
        return make("tr", { class: figure.side ? "moved" : null }, [
          make("th", { scope: "row" }, lsml.words(metric)),
          make("td", { class: "n" }, [lsml.figure(figure.now, metric, instant), " ", lsml.side(figure.side)]),
          last ? make("td", { class: "n quiet" }, lsml.figure(figure.last, metric, instant)) : null,
          banded ? make("td", { class: "n quiet wide-only" }, lsml.usual(figure, metric, instant)) : null,
          several ? make("td", { class: "trend-of" }, drawn) : null
        ]);
      });
    var head = ["Figure", "*Tonight"].concat(last ? ["*" + last] : []);
    if (banded) head.push("*Usual");
    if (several) head.push("Trend");
    var drawn = table(head, rows, "figures");
    if (banded) drawn.querySelectorAll("thead th")[last ? 3 : 2].classList.add("wide-only");
    return make("div", null, [
      rows.length ? drawn : null,
      several && rows.length
        ? make("p", { class: "tell quiet", "aria-hidden": "true" }, "Point at a trend to read a night.")
        : null,
      constant.length
        ? make("p", { class: "constant" }, [
            make("span", { class: "quiet" }, "The same on all " + lsml.nights.length + " nights: "),
            constant.join(" · ")
          ])
        : null
    ]);
  };

  function place(value, column) {
    return column.kind === "time" ? lsml.instant(value, lsml.midnight) : lsml.figure(value, "");
  }

  function histogram(column, last) {
    var bins = column.bins;
    var both = bins.now && bins.last ? " tonight and on " + last : bins.now ? " tonight" : " on " + last;
    var drawn = lsml.bars(bins.now, bins.last, "big", "Distribution" + both);
    var ticks = bins.at
      ? (bins.at.length > 6 ? [bins.at[0], bins.at[bins.at.length >> 1], bins.at[bins.at.length - 1]] : bins.at).map(
          function (value) {
            return place(value, column);
          }
        )
      : [
          "≤ " + place(bins.low, column),
          place(bins.log ? Math.sqrt(bins.low * bins.high) : (bins.low + bins.high) / 2, column),
          "≥ " + place(bins.high, column)
        ];
    var few = bins.at && bins.at.length <= 6;
    var axis = make(
      "div",
      { class: few ? "axis few" : "axis" },
      ticks.map(function (tick) {
        return make("span", null, tick);
      })
    );
    var most = Math.max.apply(null, (bins.now || []).concat(bins.last || []));
    var caption = make("figcaption", null, [
      make("b", null, "Distribution"),
      " tallest bar " + lsml.percent(most / 1000) + (bins.log ? ", bars of equal ratio" : "")
    ]);
    return make("figure", null, [caption, drawn, axis, lsml.legend(bins.last ? last : null)]);
  }

  lsml.shares = function (top, rest, against, name) {
    var most = Math.max.apply(
      null,
      top
        .map(function (row) {
          return Math.max(row[1] || 0, row[2] || 0);
        })
        .concat(1e-9)
    );
    var rows = top.map(function (row) {
      return [row[0] === "" ? make("i", null, "empty") : foreign(row[0]), row[1], row[2]];
    });
    if (rest && ((rest[0] || 0) > 0.0005 || (rest[1] || 0) > 0.0005))
      rows.push([make("i", null, "all others"), rest[0], rest[1]]);
    return table(
      [name, "", "*Tonight"].concat(against ? ["*" + against] : []),
      rows.map(function (row, index) {
        return make("tr", { "data-find": index < top.length ? top[index][0].toLowerCase() : "" }, [
          make("td", { class: "value" }, row[0]),
          make("td", { class: "meter-cell" }, index < top.length ? lsml.meter(row[1], row[2], most) : null),
          make("td", { class: "n" }, lsml.percent(row[1])),
          against ? make("td", { class: "n quiet" }, lsml.percent(row[2])) : null
        ]);
      }),
      "shares"
    );
  };

  lsml.chip = function (check) {
    return check.ok
      ? make("span", { class: "chip holds" }, "holds")
      : make("span", { class: "chip " + check.severity }, check.severity);
  };
  // What a check measured, in its own unit.
  lsml.measured = function (check, which) {
    var figure = lsml.read(check.measured);
    return lsml.isNumber(check.value) ? lsml.figure(figure[which], "") : lsml.percent(figure[which]);
  };

  // Checks by their places in the document, with their verdicts.
  lsml.checksAt = function (places) {
    return make(
      "ul",
      { class: "checks-of" },
      places.map(function (place) {
        var check = lsml.quality.checks[place];
        return make("li", null, [
          lsml.chip(check),
          " ",
          make("b", null, foreign(check.check)),
          " ",
          make("span", { class: "quiet" }, foreign(check.message))
        ]);
      })
    );
  };

  function checksOf(column) {
    return column.checks ? lsml.checksAt(column.checks) : make("p", { class: "calm" }, "No check looks at this column alone.");
  }

  var DRIFT = { js: "Jensen–Shannon", ks: "Kolmogorov–Smirnov", psi: "population stability", linf: "largest share moved" };
  function drift(column, last) {
    if (!column.drift) return null;
    var facts = Object.keys(DRIFT)
      .filter(function (name) {
        return name in column.drift;
      })
      .map(function (name) {
        return make("div", null, [make("dt", null, DRIFT[name]), make("dd", null, column.drift[name].toFixed(3))]);
      });
    return make("div", null, [make("h4", null, "Drift against " + last), make("dl", { class: "facts" }, facts)]);
  }

  lsml.panel = function (column) {
    var instant = column.kind === "time" ? lsml.midnight : undefined,
      last = lsml.quality.last_good;
    var facts = [column.type, column.kind];
    if (column.range) facts.push(column.range[0] + " … " + column.range[1]);
    if (column.was) facts.push("was " + column.was);
    var left = [
      make(
        "p",
        { class: "quiet" },
        facts.map(function (fact, index) {
          return make("span", null, [index ? " · " : "", foreign(fact)]);
        })
      )
    ];
    if (column.bins) left.push(histogram(column, last));
    if (column.top)
      left.push(
        make("h4", null, "Most frequent values"),
        lsml.shares(column.top, column.rest, column.rest && column.rest[1] !== null ? last : null, "Value")
      );
    left.push(drift(column, last), make("h4", null, "Checks"), checksOf(column));
    return make("div", { class: "panel" }, [
      make("div", null, left),
      make(
        "div",
        { class: "scroll plain", tabindex: "0", role: "region", "aria-label": "Figures of the column" },
        lsml.figures(column.figures, instant, last)
      )
    ]);
  };
})();
