#pragma once
/// What the opcodes of a pickle work on: its bytes, a stack of objects, and those that it remembers.

#include <charconv>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "minicnn/core/shape.hpp"
#include "minicnn/formats/pickle_value.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Time and memory are bounded: a million objects, eight million references to them.
class pickle_stack {
 protected:
  using type = pickle_value::type;

  pickle_stack(std::string_view bytes, std::string_view source) : bytes_(bytes), source_(source) {}

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail<file_error>(source_, ": pickle: ", parts...);
  }

  static std::string hex(unsigned char c) {
    const char* digits = "0123456789abcdef";
    return {digits[c >> 4], digits[c & 15]};
  }

  // ---- bytes

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - at_) refuse("ends at byte ", bytes_.size(), ", wanted ", count, " bytes from ", at_);
    at_ += static_cast<std::size_t>(count);
    return bytes_.substr(at_ - static_cast<std::size_t>(count), static_cast<std::size_t>(count));
  }

  std::uint64_t take_number(std::size_t count) {
    const std::string_view part = take(count);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value |= std::uint64_t{static_cast<unsigned char>(part[i])} << (8 * i);
    return value;
  }

  std::string take_line() {
    const auto end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) refuse("a line without an end at byte ", at_);
    std::string line(bytes_.substr(at_, end - at_));
    at_ = end + 1;
    return line;
  }

  // ---- objects

  int make(type kind) {
    if (objects_.values.size() >= max_objects) refuse("has more than ", max_objects, " objects");
    objects_.values.emplace_back().kind = kind;
    return static_cast<int>(objects_.values.size()) - 1;
  }
  pickle_value& at(int id) { return objects_.values[static_cast<std::size_t>(id)]; }
  const pickle_value& at(int id) const { return objects_.values[static_cast<std::size_t>(id)]; }

  void count_references(std::size_t more) {
    references_ += more;
    if (references_ > max_references) refuse("has more than ", max_references, " references to objects");
  }
  bool push_id(int id) {
    count_references(1);
    stack_.push_back(id);
    return true;
  }
  bool push(type kind) { return push_id(make(kind)); }

  /// Of what cannot change there is one: a file may hold millions.
  bool push_shared(type kind, index_t value = 0) {
    const auto [place, added] = shared_.try_emplace({kind, value}, 0);
    if (added) {
      place->second = make(kind);
      at(place->second).number = value;
    }
    return push_id(place->second);
  }
  bool push_number(type kind, index_t value) {
    if (value >= -1 && value < 256) return push_shared(kind, value);
    push(kind);
    at(stack_.back()).number = value;
    return true;
  }
  bool push_text(type kind, std::string_view value) {
    push(kind);
    at(stack_.back()).text = value;
    return true;
  }
  bool push_object(std::string_view name) { return push_text(type::object, name); }

  int top() const {
    if (stack_.empty()) refuse("an object is wanted where there is none, at byte ", at_);
    return stack_.back();
  }
  int pop() {
    const int id = top();
    if (at(id).kind == type::mark) refuse("a mark where an object is wanted, at byte ", at_);
    stack_.pop_back();
    return id;
  }

  /// The objects since the last mark, which goes too.
  std::vector<int> pop_to_mark() {
    std::size_t first = stack_.size();
    while (first > 0 && at(stack_[first - 1]).kind != type::mark) --first;
    if (first == 0) refuse("no mark where one is wanted, at byte ", at_);
    std::vector<int> items(stack_.begin() + static_cast<std::ptrdiff_t>(first), stack_.end());
    stack_.resize(first - 1);
    return items;
  }

  bool push_items(type kind, std::vector<int> items) {
    push(kind);
    at(stack_.back()).items = std::move(items);
    return true;
  }
  bool push_tuple_of(int count) {
    std::vector<int> items(static_cast<std::size_t>(count));
    for (int i = count; i-- > 0;) items[static_cast<std::size_t>(i)] = pop();
    return push_items(type::tuple, std::move(items));
  }

  /// To objects of classes that are not known only keys and values are added: they may be dictionaries.
  bool append(const std::vector<int>& items, type wanted) {
    pickle_value& to = at(top());
    if (wanted == type::dictionary && items.size() % 2 != 0) refuse("a key without a value, at byte ", at_);
    if (to.kind == type::object && wanted != type::dictionary) return true;
    if (to.kind != wanted && to.kind != type::object) refuse("items are added to something that takes none, at byte ", at_);
    to.items.insert(to.items.end(), items.begin(), items.end());
    return true;
  }

  bool remember(std::uint64_t key) {
    if (memo_.size() >= max_objects) refuse("remembers more than ", max_objects, " objects");
    memo_[key] = top();
    return true;
  }
  bool recall(std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) refuse("object ", key, " is wanted before it was made");
    return push_id(found->second);
  }
  std::uint64_t take_key() {
    const std::string line = take_line();
    std::uint64_t key = 0;
    const auto [end, problem] = std::from_chars(line.data(), line.data() + line.size(), key);
    if (problem != std::errc() || end != line.data() + line.size()) refuse("\"", line, "\" where a number is wanted");
    return key;
  }

  static constexpr std::size_t max_objects = std::size_t{1} << 20, max_references = std::size_t{1} << 23;

  std::string_view bytes_;
  std::string_view source_;
  std::size_t at_ = 0, references_ = 0;
  pickle_objects objects_;
  std::vector<int> stack_;
  std::map<std::uint64_t, int> memo_;
  std::map<std::pair<type, index_t>, int> shared_;
};

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
