#pragma once
// Classes from most to least probable, for predict and serve alike.

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

namespace cli {

struct ranked_class {
  std::string name;
  double probability;
};

/// The classes from most to least probable; equal ones in the network's order.
inline std::vector<ranked_class> ranking(const std::vector<double>& log_probabilities, const std::vector<std::string>& classes) {
  std::vector<std::size_t> order(classes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return log_probabilities[a] > log_probabilities[b]; });
  std::vector<ranked_class> out;
  for (const std::size_t k : order) out.push_back({classes[k], std::exp(log_probabilities[k])});
  return out;
}

/// Adds "class", "probability" and "probabilities" of the first `shown` classes to a JSON object.
inline void add_ranking(nlohmann::ordered_json& text, const std::vector<ranked_class>& classes, std::size_t shown) {
  text["class"] = classes[0].name;
  text["probability"] = classes[0].probability;
  for (std::size_t k = 0; k < shown && k < classes.size(); ++k) text["probabilities"][classes[k].name] = classes[k].probability;
}

}  // namespace cli
