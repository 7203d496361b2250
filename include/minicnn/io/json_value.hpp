#pragma once
/// A JSON value.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One JSON value. Objects keep the order in which keys were inserted.
class json {
 public:
  using array = std::vector<json>;
  using member = std::pair<std::string, json>;
  using object = std::vector<member>;

  json() = default;
  json(std::nullptr_t) {}
  template <std::same_as<bool> B>
  json(B value) : value_(value) {}
  template <std::integral N>
  requires(!std::same_as<N, bool>) json(N value) : value_(static_cast<std::int64_t>(value)) {
    if (std::unsigned_integral<N> && as_int() < 0) value_ = static_cast<std::uint64_t>(value);
  }
  json(double value) : value_(value) {}
  json(std::string value) : value_(std::move(value)) {}
  json(std::string_view value) : value_(std::string(value)) {}
  json(const char* value) : value_(std::string(value)) {}
  json(array value) : value_(std::move(value)) {}
  json(object value) : value_(std::move(value)) {}
  /// An object: json{{"name", "conv1"}, {"size", 3}}.
  json(std::initializer_list<member> members) : value_(object(members)) {}
  /// An array of numbers, texts or arrays of these.
  template <class V>
  requires(!std::same_as<V, json> && !std::same_as<V, member> && std::convertible_to<V, json>) json(const std::vector<V>& values)
      : value_(array(values.begin(), values.end())) {}

  bool is_null() const { return value_.index() == 0; }
  bool is_bool() const { return value_.index() == 1; }
  /// A number written without fraction and exponent that fits 64 signed bits.
  bool is_int() const { return value_.index() == 2; }
  /// One of 0 to 2^64 - 1.
  bool is_uint() const { return value_.index() == 7 || (is_int() && as_int() >= 0); }
  bool is_number() const { return value_.index() == 2 || value_.index() == 3 || value_.index() == 7; }
  bool is_string() const { return value_.index() == 4; }
  bool is_array() const { return value_.index() == 5; }
  bool is_object() const { return value_.index() == 6; }

  /// "null", "boolean", "integer", "number", "string", "array" or "object".
  const char* kind() const {
    constexpr const char* names[] = {"null", "boolean", "integer", "number", "string", "array", "object", "number"};
    return names[value_.index()];
  }

  /// Each throws `error` naming both kinds if the value is of another kind; `as_double` takes integers too,
  /// `as_uint` those of 0 to 2^64 - 1, as seeds are.
  bool as_bool() const { return get<bool>("boolean"); }
  std::int64_t as_int() const { return get<std::int64_t>("integer"); }
  std::uint64_t as_uint() const {
    if (const auto* large = std::get_if<std::uint64_t>(&value_)) return *large;
    if (as_int() < 0) fail("json: wanted an integer of 0 or more, got ", as_int());
    return static_cast<std::uint64_t>(as_int());
  }
  double as_double() const {
    if (is_int()) return static_cast<double>(as_int());
    if (const auto* large = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*large);
    return get<double>("number");
  }
  const std::string& as_string() const { return get<std::string>("string"); }
  const array& as_array() const { return get<array>("array"); }
  const object& as_object() const { return get<object>("object"); }

  /// The member's value, or null if there is none or this is no object.
  const json* find(std::string_view key) const {
    if (const auto* members = std::get_if<object>(&value_))
      for (const member& m : *members)
        if (m.first == key) return &m.second;
    return nullptr;
  }

  /// The member's value; throws `error` naming the key if there is none.
  const json& at(std::string_view key) const {
    const json* found = find(key);
    if (found == nullptr) fail("json: no member \"", key, "\"");
    return *found;
  }

  /// The member's value, or `otherwise` where there is none; a member of another kind is an error all the same.
  bool value_or(std::string_view key, bool otherwise) const { return has(key) ? at(key).as_bool() : otherwise; }
  double value_or(std::string_view key, double otherwise) const { return has(key) ? at(key).as_double() : otherwise; }
  std::string value_or(std::string_view key, const char* otherwise) const { return has(key) ? at(key).as_string() : otherwise; }
  bool has(std::string_view key) const { return find(key) != nullptr; }

  /// Adds or replaces a member; null turns into an object first. Returns *this, for chains.
  json& set(std::string key, json value) {
    if (is_null()) value_ = object{};
    object& members = get<object>("object");
    for (member& m : members)
      if (m.first == key) {
        m.second = std::move(value);
        return *this;
      }
    members.emplace_back(std::move(key), std::move(value));
    return *this;
  }

  /// The member to be written: added as null if there is none; null turns into an object first.
  json& operator[](std::string_view key) {
    if (const json* found = find(key)) return const_cast<json&>(*found);
    set(std::string(key), json());
    return get<object>("object").back().second;
  }

  /// Takes a member away, if there is one.
  void erase(std::string_view key) {
    std::erase_if(get<object>("object"), [&](const member& m) { return m.first == key; });
  }

  /// Appends an element; null turns into an array first.
  json& push(json value) {
    if (is_null()) value_ = array{};
    get<array>("array").push_back(std::move(value));
    return *this;
  }

  bool operator==(const json& other) const { return value_ == other.value_; }

 private:
  template <class V>
  const V& get(const char* wanted) const {
    const V* value = std::get_if<V>(&value_);
    if (value == nullptr) fail("json: wanted ", wanted, ", got ", kind());
    return *value;
  }
  template <class V>
  V& get(const char* wanted) {
    V* value = std::get_if<V>(&value_);
    if (value == nullptr) fail("json: wanted ", wanted, ", got ", kind());
    return *value;
  }

  std::variant<std::monostate, bool, std::int64_t, double, std::string, array, object,
               std::uint64_t>
      value_;  // unsigned: above 2^63 - 1 only
};

}  // namespace minicnn::inline MINICNN_ABI
