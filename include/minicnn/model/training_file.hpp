#pragma once
/// A training run in a file: what goes on from it ends with the same bits as a run that never stopped.
///
///     trainer<float> run(net, optimizer, task, train, validation, {.epochs = 20, .callbacks = {&average}});
///     if (resume) run.state = load_training("last.safetensors", net, optimizer, &average, recipe, data);
///     run.run();
///     save_training("last.safetensors", net, optimizer, &average, run.state, info, recipe, data);

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "minicnn/model/model_file.hpp"
#include "minicnn/train/ema.hpp"
#include "minicnn/train/optimizer.hpp"
#include "minicnn/train/training_state.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// The averages of parameters and buffers, tensor by tensor; nothing without them.
template <class T>
std::vector<state_tensor<T>> averages_of(const network<T>& net, ema<T>* average) {
  std::vector<state_tensor<T>> all;
  if (average == nullptr) return all;
  for (const parameter_info& p : net.parameters())
    all.push_back({"ema." + p.name, {average->parameter_averages().data() + p.offset, p.dims}});
  for (const buffer_info& b : net.buffers())
    all.push_back({"ema." + b.name, {average->buffer_averages().data() + b.offset, b.dims}});
  return all;
}

/// JSON has no NaN and no infinity.
inline json finite_or_null(double value) { return std::isfinite(value) ? json(value) : json(); }
inline double number_or(const json& value, double otherwise) { return value.is_null() ? otherwise : value.as_double(); }

/// No seconds, speeds or paths: equal seeds give equal bytes.
inline json to_json(const training_state& s) {
  json history = json::array{}, confusion = json::array{};
  for (const epoch_record& e : s.history)
    history.push(json::array{e.epoch, finite_or_null(e.train_loss), finite_or_null(e.train_accuracy), finite_or_null(e.val_loss),
                             finite_or_null(e.val_accuracy), finite_or_null(e.learning_rate)});
  for (const std::vector<index_t>& row : s.best_confusion) confusion.push(json::array(row.begin(), row.end()));
  return json::object{{"first_epoch", s.first_epoch},
                      {"epoch", s.epoch},
                      {"batch", s.batch},
                      {"step", s.step},
                      {"total_steps", s.total_steps},
                      {"skipped", s.skipped},
                      {"image_size", s.image_size},
                      {"loss_sum", finite_or_null(s.loss_sum)},
                      {"right", finite_or_null(s.correct)},
                      {"seen", s.seen},
                      {"loss_weight", s.weight_sum},
                      {"best_loss", finite_or_null(s.best_score)},
                      {"best_epoch", s.best_epoch},
                      {"best_confusion", confusion},
                      {"time_planned", s.time_planned},
                      {"history", history}};
}

/// A count, which is never below 0.
inline index_t count_member(const json& text, std::string_view key) {
  const index_t value = text.at(key).as_int();
  if (value < 0) fail("member \"", key, "\": wanted 0 or more, got ", value);
  return value;
}

inline training_state training_state_from(const json& text) {
  training_state s;
  s.first_epoch = text.has("first_epoch") ? count_member(text, "first_epoch") : 0;  // files of version 0.1 have none
  s.epoch = count_member(text, "epoch");
  s.batch = count_member(text, "batch");
  s.step = count_member(text, "step");
  s.total_steps = count_member(text, "total_steps");
  s.skipped = count_member(text, "skipped");
  s.image_size = count_member(text, "image_size");
  s.loss_sum = number_or(text.at("loss_sum"), NAN);
  s.correct = number_or(text.at("right"), NAN);  // tasks without right answers have none
  s.seen = count_member(text, "seen");
  s.weight_sum = text.value_or("loss_weight", static_cast<double>(s.seen));  // files of version 0.1: every image weighs 1
  s.best_score = number_or(text.at("best_loss"), s.best_score);
  s.best_epoch = count_member(text, "best_epoch");
  for (const json& row : text.at("best_confusion").as_array()) {
    s.best_confusion.emplace_back();
    for (const json& count : row.as_array()) s.best_confusion.back().push_back(count.as_int());
    if (s.best_confusion.back().size() != text.at("best_confusion").as_array().size())
      fail("member \"best_confusion\": wanted as many columns as rows");
  }
  s.time_planned = text.at("time_planned").as_bool();
  if (const json* history = text.find("history"))  // files of version 0.1 have none
    for (const json& row : history->as_array()) {
      const json::array& v = row.as_array();
      if (v.size() != 6) fail("member \"history\": wanted 6 numbers an epoch, got ", v.size());
      s.history.push_back({v[0].as_int(), number_or(v[1], NAN), number_or(v[2], NAN), number_or(v[3], NAN), number_or(v[4], NAN),
                           number_or(v[5], NAN), 0, 0});
    }
  return s;
}

}  // namespace detail

/// JSON of a training's file: "recipe" or "data", as it was given to `save_training`. Throws file_error where there is none.
inline json read_training_entry(const safetensors_file& file, const char* key) {
  const std::string* text = file.find_metadata(key);
  if (text == nullptr) fail<file_error>(file.path(), ": no metadata \"", key, "\": cannot be resumed");
  try {
    return parse_json(*text);
  } catch (const error& e) {
    fail<file_error>(file.path(), ": metadata \"", key, "\": ", e.what());
  }
}

/// Throws option_error naming file, member (of members too: recipe.model.name) and both values where two objects are not the
/// same, whatever the order of members.
MINICNN_COLD inline void check_same_training(const safetensors_file& file, const std::string& key, const json& before,
                                             const json& now) {
  if (!before.is_object()) fail<file_error>(file.path(), ": metadata \"", key, "\": wanted an object");
  for (const auto& [name, value] : now.as_object()) {
    const json* old = before.find(name);
    if (old != nullptr && old->is_object() && value.is_object()) {
      check_same_training(file, key + "." + name, *old, value);
      continue;
    }
    if (old == nullptr || !(*old == value))
      fail<option_error>(file.path(), ": the run was made with ", key, ".", name, " = ",
                         old == nullptr ? "nothing" : write_json(*old), ", this call says ", write_json(value));
  }
  for (const auto& [name, value] : before.as_object())
    if (!now.has(name))
      fail<option_error>(file.path(), ": the run was made with ", key, ".", name, " = ", write_json(value),
                         ", this call says nothing");
}

/// Writes weights, optimizer state, averages (null: none) and `state`, and what a weights file says about the network, so that
/// `load_model` reads it too. `recipe` and `data`, JSON objects, say what the run was made with and from. `more`: what else the
/// run remembers (`hard_examples::state`). The file appears under its name only when it is complete. Equal seeds give equal
/// bytes.
template <class T>
MINICNN_COLD void save_training(const std::string& path, const network<T>& net, optimizer<T>& opt,
                                std::type_identity_t<ema<T>*> average, const training_state& state, const model_info& info,
                                const json& recipe = json::object{}, const json& data = json::object{},
                                const std::vector<state_tensor<T>>& more = {}) {
  safetensors_writer out;
  for (const auto& [key, value] : to_metadata(checked_info(net, info, path))) out.metadata(key, value);
  json position = detail::to_json(state);
  position.set("network_step", net.step());
  position.set("optimizer_steps", opt.steps());
  position.set("averaged_steps", average != nullptr ? average->updates() : index_t{0});
  out.metadata("position", write_json(position));
  out.metadata("recipe", write_json(recipe));
  out.metadata("data", write_json(data));
  add_weights(out, net);
  for (const auto& s : opt.state()) out.add(std::string(training_prefix) + s.name, view<const T>(s.data));
  for (const auto& a : detail::averages_of(net, average)) out.add(std::string(training_prefix) + a.name, view<const T>(a.data));
  for (const auto& m : more) out.add(std::string(training_prefix) + m.name, view<const T>(m.data));
  out.write(path);
}

/// Puts network, optimizer and averages where `save_training` left them, and returns where the run stands, without times.
/// Network, optimizer and averages are of the same kind and options. Throws file_error naming the tensor or the entry that is
/// missing or wrong.
template <class T>
MINICNN_COLD training_state load_training(const safetensors_file& file, network<T>& net, optimizer<T>& opt,
                                          std::type_identity_t<ema<T>*> average, const std::vector<state_tensor<T>>& more = {}) {
  const json position = read_training_entry(file, "position");
  load_weights(net, file);
  for (auto& s : opt.state()) file.read(std::string(training_prefix) + s.name, s.data);
  for (auto& a : detail::averages_of(net, average)) file.read(std::string(training_prefix) + a.name, a.data);
  for (const auto& m : more) file.read(std::string(training_prefix) + m.name, m.data);
  try {
    training_state state = detail::training_state_from(position);
    net.step(position.at("network_step").as_uint());
    net.epochs(state.epoch);
    opt.steps(detail::count_member(position, "optimizer_steps"));
    if (average != nullptr) average->updates(detail::count_member(position, "averaged_steps"));
    return state;
  } catch (const error& e) {
    fail<file_error>(file.path(), ": metadata \"position\": ", e.what());
  }
}

/// The same after a comparison: throws option_error if the run was made with another `recipe` or from other `data`, naming what
/// differs.
template <class T>
training_state load_training(const std::string& path, network<T>& net, optimizer<T>& opt, std::type_identity_t<ema<T>*> average,
                             const json& recipe = json::object{}, const json& data = json::object{}) {
  const safetensors_file file = safetensors_file::open(path);
  check_same_training(file, "data", read_training_entry(file, "data"), data);  // parts of the recipe may follow the data
  check_same_training(file, "recipe", read_training_entry(file, "recipe"), recipe);
  return load_training(file, net, opt, average);
}

MINICNN_COMPILED_FUNCTION(save_training);

}  // namespace minicnn::inline MINICNN_ABI
