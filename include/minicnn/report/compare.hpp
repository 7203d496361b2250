#pragma once
/// Training runs side by side: one self-contained page with their curves, final figures, the settings in which they differ, and
/// paired tests on the pictures that both were validated on.

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/analysis/paired_test.hpp"
#include "minicnn/graph/summary.hpp"
#include "minicnn/report/chart.hpp"
#include "minicnn/train/history.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One run.
struct compared_run {
  std::string name;                                           ///< short; as column head and in the key of the curves
  std::vector<epoch_record> history;                          ///< may be empty
  std::vector<std::pair<std::string, std::string>> settings;  ///< name and value
  index_t parameters = 0;                                     ///< 0: not known

  /// The epoch with the smallest validation loss; without validation the last one. Null without epochs.
  const epoch_record* best() const {
    const epoch_record* found = nullptr;
    for (const epoch_record& e : history)
      if (std::isfinite(e.val_loss) && (found == nullptr || e.val_loss < found->val_loss)) found = &e;
    return found == nullptr && !history.empty() ? &history.back() : found;
  }
};

/// Two of the runs on the same validation pictures.
struct compared_pair {
  std::size_t first = 0, second = 0;
  paired_comparison result;
};

/// What the page shows. Empty parts are left out.
struct run_comparison {
  std::vector<compared_run> runs;
  std::vector<compared_pair> pairs;
  std::vector<std::string> notes;  ///< why there is no test, what was left out
};

/// A setting and its value in each run; "-" where a run does not have it.
struct compared_setting {
  std::string name;
  std::vector<std::string> values;
  bool same() const {
    for (const std::string& v : values)
      if (v != values.front()) return false;
    return true;
  }
};

/// The settings of all runs by name, in the order of the first run; those that only later runs have follow.
inline std::vector<compared_setting> compare_settings(const std::vector<compared_run>& runs) {
  std::vector<compared_setting> out;
  for (std::size_t r = 0; r < runs.size(); ++r)
    for (const auto& [name, value] : runs[r].settings) {
      auto found = out.begin();
      while (found != out.end() && found->name != name) ++found;
      if (found == out.end()) found = out.insert(out.end(), {name, std::vector<std::string>(runs.size(), "-")});
      found->values[r] = value;
    }
  return out;
}

namespace detail {

/// Eight colours that can be told apart in both themes, also by most people who see few; then the same dashed.
inline constexpr std::size_t compare_colours = 8;

inline constexpr const char* compare_style = R"(
:root{color-scheme:light dark;--bg:#fafaf8;--fg:#1d1f21;--mute:#63676e;--line:#dcdcd6;--card:#fff;
--c0:#2563c9;--c1:#d9622b;--c2:#11805a;--c3:#a03aa8;--c4:#b7870b;--c5:#c2334d;--c6:#0e8aa3;--c7:#6b6f76}
@media(prefers-color-scheme:dark){:root{--bg:#16181b;--fg:#e6e7e9;--mute:#9a9fa7;--line:#33373d;--card:#1e2125;
--c0:#6ea8ff;--c1:#ff9d66;--c2:#4fcf9c;--c3:#e08be8;--c4:#ecc352;--c5:#ff8196;--c6:#5fd0e6;--c7:#b4b8bf}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px 16px 64px}h1{font-size:1.5rem;margin:0 0 12px}h2{font-size:1.05rem;margin:0 0 8px}
p.note{color:var(--mute);margin:6px 0 16px;max-width:75ch}.card p.note{margin:10px 0 0;font-size:.9rem}
.cards{display:grid;gap:16px;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));margin:16px 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;overflow-x:auto;min-width:0}
.card+.card{margin-top:16px}.cards .card+.card{margin-top:0}
svg.chart{width:100%;height:auto;display:block}.grid{stroke:var(--line)}.tick{fill:var(--mute);font-size:11px}polyline{fill:none;stroke-width:2}
.key{display:flex;flex-wrap:wrap;gap:4px 18px;margin:16px 0 -4px}.key span{white-space:nowrap}
i.line{display:inline-block;width:20px;border-top:3px solid;margin:0 7px 4px 0;vertical-align:middle}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}thead th{color:var(--mute);font-weight:500;white-space:normal;vertical-align:bottom}td.top{font-weight:650}
table.settings td{text-align:left}summary{cursor:pointer;color:var(--mute);margin-top:10px}
#tip{position:fixed;pointer-events:none;background:var(--fg);color:var(--bg);padding:3px 8px;border-radius:6px;font-size:.8rem;display:none;z-index:1}
)";

/// Shows the title of the nearest point of a chart while the pointer is over it.
inline constexpr const char* compare_script = R"(
const tip=document.getElementById('tip');
for(const s of document.querySelectorAll('svg.chart')){
 s.addEventListener('pointermove',e=>{let best=null,d=1e9;
  for(const c of s.querySelectorAll('circle')){const b=c.getBoundingClientRect(),q=Math.hypot(b.x+b.width/2-e.clientX,b.y+b.height/2-e.clientY);if(q<d){d=q;best=c}}
  if(best){tip.textContent=best.querySelector('title').textContent;tip.style.display='block';
   tip.style.left=Math.max(4,Math.min(e.clientX+12,innerWidth-tip.offsetWidth-8))+'px';tip.style.top=Math.max(4,e.clientY-34)+'px'}});
 s.addEventListener('pointerleave',()=>tip.style.display='none')}
)";

inline std::string compare_series_style(std::size_t runs) {
  std::string out;
  for (std::size_t i = 0; i < runs; ++i) {
    const std::string colour = text_of("var(--c", i % compare_colours, ")");
    const bool dashed = i / compare_colours % 2 == 1;
    out += text_of("polyline.s", i, "{stroke:", colour, dashed ? ";stroke-dasharray:6 4" : "", "}circle.s", i, "{fill:", colour,
                   "}i.l", i, "{border-color:", colour, dashed ? ";border-top-style:dashed" : "", "}");
  }
  return out;
}

inline std::string compare_percent(double fraction) { return std::isfinite(fraction) ? fixed(100 * fraction, 2) + " %" : "-"; }

inline std::string compare_name(const run_comparison& c, std::size_t run) {
  return text_of("<i class=\"line l", run, "\"></i>", html_escape(c.runs[run].name));
}

inline std::string compare_chart(const run_comparison& c, const char* title, double epoch_record::*field, bool zero_based,
                                 bool percent) {
  chart out;
  out.title = title;
  out.zero_based = zero_based;
  out.percent = percent;
  out.may_be_logarithmic = field == &epoch_record::val_loss || field == &epoch_record::train_loss;
  std::size_t longest = 0;
  bool any = false;
  for (const compared_run& r : c.runs) {
    chart_series s{r.name, {}};
    for (const epoch_record& e : r.history) s.values.push_back(e.*field), any = any || std::isfinite(e.*field);
    longest = (std::max)(longest, r.history.size());
    out.series.push_back(std::move(s));
  }
  if (!any) return "";
  for (std::size_t i = 1; i <= longest; ++i) out.x.push_back(static_cast<double>(i));
  return text_of("<section class=\"card\"><h2>", title, "</h2>", chart_svg(out), "</section>");
}

inline std::string compare_figures(const run_comparison& c) {
  double top_accuracy = -1, least_loss = INFINITY;
  for (const compared_run& r : c.runs)
    if (const epoch_record* e = r.best(); e != nullptr)
      top_accuracy = (std::max)(top_accuracy, e->val_accuracy), least_loss = (std::min)(least_loss, e->val_loss);
  std::string out =
      "<section class=\"card\" id=\"figures\"><h2>Best epoch of each run</h2><table><thead><tr><th>run</th><th>val accuracy</th>"
      "<th>val log loss</th><th>train loss</th><th>epoch</th><th>of</th><th>time</th><th>images/s</th><th>parameters</th></tr>"
      "</thead><tbody>";
  for (std::size_t i = 0; i < c.runs.size(); ++i) {
    const compared_run& r = c.runs[i];
    const epoch_record* e = r.best();
    out += "<tr><td>" + compare_name(c, i) + "</td>";
    if (e == nullptr) {
      out += "<td>-</td><td>-</td><td>-</td><td>-</td><td>0</td><td>-</td><td>-</td>";
    } else {
      double speed = 0;
      for (const epoch_record& row : r.history) speed += row.images_per_second;
      out += text_of("<td", e->val_accuracy >= top_accuracy ? " class=\"top\"" : "", ">", compare_percent(e->val_accuracy),
                     "</td><td", e->val_loss <= least_loss ? " class=\"top\"" : "", ">",
                     std::isfinite(e->val_loss) ? fixed(e->val_loss, 4) : "-", "</td><td>", fixed(e->train_loss, 4), "</td><td>",
                     e->epoch, "</td><td>", r.history.size(), "</td><td>", clock_text(r.history.back().seconds), "</td><td>",
                     fixed(speed / static_cast<double>(r.history.size()), 1), "</td>");
    }
    out += "<td>" + (r.parameters > 0 ? grouped(r.parameters) : std::string("-")) + "</td></tr>";
  }
  return out + "</tbody></table></section>";
}

inline std::string compare_pairs(const run_comparison& c) {
  std::string out =
      "<section class=\"card\" id=\"pairs\"><h2>Paired test on the validation pictures</h2><table><thead><tr><th>runs</th>"
      "<th>pictures</th><th>only first right</th><th>only second right</th><th>p (McNemar)</th><th>log loss, first less "
      "second (95 % interval)</th><th>smaller log loss</th></tr></thead><tbody>";
  for (const compared_pair& p : c.pairs) {
    const mean_interval& d = p.result.loss_difference;
    out +=
        text_of("<tr><td>", compare_name(c, p.first), " against ", compare_name(c, p.second), "</td><td>", p.result.images,
                "</td><td>", p.result.only_first, "</td><td>", p.result.only_second, "</td><td>", short_number(p.result.p_value),
                "</td><td>", fixed(d.mean, 4), " (", fixed(d.low, 4), " to ", fixed(d.high, 4), ")</td><td>",
                d.clear() ? html_escape(c.runs[d.mean < 0 ? p.first : p.second].name) : "not clear", "</td></tr>");
  }
  out +=
      "</tbody></table><p class=\"note\">McNemar's exact test asks of the pictures that one run alone gets right whether they "
      "are "
      "shared more unevenly than a coin would: a small p speaks for a difference in accuracy. The interval is a bootstrap over "
      "the "
      "pictures; where it does not contain 0, the difference in log loss is clear.";
  if (c.pairs.size() > 1)
    out += text_of(" With ", c.pairs.size(), " pairs, chance alone gives small values more often: ask for p below ",
                   short_number(0.05 / static_cast<double>(c.pairs.size())), " (Bonferroni).");
  return out + " The best epoch was chosen on the same pictures, which flatters all runs alike.</p></section>";
}

inline std::string compare_settings_card(const run_comparison& c) {
  const std::vector<compared_setting> all = compare_settings(c.runs);
  const auto table = [&](bool same) {
    std::string rows;
    for (const compared_setting& s : all) {
      if (s.same() != same) continue;
      rows += "<tr><td>" + html_escape(s.name) + "</td>";
      for (const std::string& value : s.values)
        rows += same && &value != &s.values.front() ? "" : "<td>" + html_escape(value) + "</td>";
      rows += "</tr>";
    }
    if (rows.empty()) return rows;
    std::string head;
    if (!same) {
      head = "<thead><tr><th>setting</th>";
      for (std::size_t i = 0; i < c.runs.size(); ++i) head += "<th style=\"text-align:left\">" + compare_name(c, i) + "</th>";
      head += "</tr></thead>";
    }
    return "<table class=\"settings\">" + head + "<tbody>" + rows + "</tbody></table>";
  };
  const std::string different = table(false), equal = table(true);
  std::string out = "<section class=\"card\" id=\"settings\"><h2>Settings that differ</h2>";
  out += different.empty() ? "<p class=\"note\">None.</p>" : different;
  if (!equal.empty()) out += "<details><summary>Settings that are the same</summary>" + equal + "</details>";
  return out + "</section>";
}

}  // namespace detail

/// The page as text: works offline and without script, light and dark, from phone width up.
inline std::string compare_html(const run_comparison& c, std::string_view title) {
  std::string out = text_of(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>",
      html_escape(title), "</title><style>", detail::compare_style, detail::compare_series_style(c.runs.size()),
      "</style></head><body><main><h1>", html_escape(title), "</h1>");
  for (const std::string& note : c.notes) out += "<p class=\"note\">" + html_escape(note) + "</p>";
  out += detail::compare_figures(c);
  out += "<div class=\"key\">";
  for (std::size_t i = 0; i < c.runs.size(); ++i) out += "<span>" + detail::compare_name(c, i) + "</span>";
  out += "</div><div class=\"cards\">";
  out += detail::compare_chart(c, "Validation log loss", &epoch_record::val_loss, false, false);
  out += detail::compare_chart(c, "Validation accuracy", &epoch_record::val_accuracy, false, true);
  out += detail::compare_chart(c, "Training loss", &epoch_record::train_loss, false, false);
  out += detail::compare_chart(c, "Learning rate", &epoch_record::learning_rate, true, false);
  out += "</div>";
  if (!c.pairs.empty()) out += detail::compare_pairs(c);
  out += detail::compare_settings_card(c);
  return out + "</main><div id=\"tip\"></div><script>" + detail::compare_script + "</script></body></html>\n";
}

}  // namespace minicnn::inline MINICNN_ABI
