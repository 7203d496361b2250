#pragma once
/// Python's pickle, as far as PyTorch's files of tensors need it.
///
/// A pickle is a program that builds objects, and with Python's own reader it can run anything. This reader runs nothing: it
/// builds numbers, texts, tuples, lists, dictionaries and, from PyTorch's own functions for it, descriptions of tensors. A pickle
/// that names any other function or class is refused, and so is every opcode that is not needed for these.
/// Time and memory are proportional to the pickle's length, whatever it says.

#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/shape.hpp"
#include "minicnn/formats/pickle_value.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Runs the opcodes of one pickle.
class pickle_machine {
 public:
  pickle_machine(std::string_view bytes, std::string_view source) : bytes_(bytes), source_(source) {}

  pickle_objects run() {
    for (;;) {
      const std::size_t place = at_;
      const auto code = static_cast<unsigned char>(take(1)[0]);
      if (code == '.') break;
      if (!step(code)) refuse("opcode 0x", hex(code), " at byte ", place, ", which no file of tensors needs");
    }
    objects_.root = pop();
    if (!stack_.empty()) refuse(stack_.size(), " objects are left over at its end");
    return std::move(objects_);
  }

 private:
  using type = pickle_value::type;

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
    if (objects_.values.size() >= static_cast<std::size_t>((std::numeric_limits<int>::max)())) refuse("has too many objects");
    objects_.values.emplace_back().kind = kind;
    return static_cast<int>(objects_.values.size()) - 1;
  }
  pickle_value& at(int id) { return objects_.values[static_cast<std::size_t>(id)]; }
  const pickle_value& at(int id) const { return objects_.values[static_cast<std::size_t>(id)]; }

  bool push(type kind) {
    stack_.push_back(make(kind));
    return true;
  }
  bool push_number(type kind, index_t value) {
    push(kind);
    at(stack_.back()).number = value;
    return true;
  }
  bool push_text(type kind, std::string_view value) {
    push(kind);
    at(stack_.back()).text = value;
    return true;
  }

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

  bool push_tuple(std::vector<int> items) {
    push(type::tuple);
    at(stack_.back()).items = std::move(items);
    return true;
  }
  bool push_tuple_of(int count) {
    std::vector<int> items(static_cast<std::size_t>(count));
    for (int i = count; i-- > 0;) items[static_cast<std::size_t>(i)] = pop();
    return push_tuple(std::move(items));
  }

  bool append(const std::vector<int>& items, type wanted) {
    pickle_value& to = at(top());
    if (to.kind != wanted) refuse("items are added to something that takes none, at byte ", at_);
    if (wanted == type::dictionary && items.size() % 2 != 0) refuse("a key without a value, at byte ", at_);
    to.items.insert(to.items.end(), items.begin(), items.end());
    return true;
  }

  bool remember(std::uint64_t key) {
    memo_[key] = top();
    return true;
  }
  bool recall(std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) refuse("object ", key, " is wanted before it was made");
    stack_.push_back(found->second);
    return true;
  }

  /// One opcode; false if it is not one of ours. Those that torch.save writes (protocol 2), and those that the same objects
  /// need in protocols 3 to 5.
  bool step(unsigned char code) {
    switch (code) {
      case 0x80:  // PROTO
        if (const std::uint64_t protocol = take_number(1); protocol > 5) refuse("protocol ", protocol, " is unknown");
        return true;
      case 0x95:  // FRAME
        take(8);
        return true;
      case 'N':
        return push(type::none);
      case 0x88:
      case 0x89:
        return push_number(type::boolean, code == 0x88 ? 1 : 0);
      case 'K':
        return push_number(type::integer, static_cast<index_t>(take_number(1)));
      case 'M':
        return push_number(type::integer, static_cast<index_t>(take_number(2)));
      case 'J':
        return push_number(type::integer, static_cast<std::int32_t>(static_cast<std::uint32_t>(take_number(4))));
      case 0x8A:
        return push_long(take(take_number(1)));
      case 'G':
        return push_real();
      case 'X':  // BINUNICODE
        return push_text(type::text, take(take_number(4)));
      case 0x8C:  // SHORT_BINUNICODE
        return push_text(type::text, take(take_number(1)));
      case 0x8D:  // BINUNICODE8
        return push_text(type::text, take(take_number(8)));
      case 'U':  // SHORT_BINSTRING, of Python 2
        return push_text(type::text, take(take_number(1)));
      case 'C':  // SHORT_BINBYTES
        return push_text(type::bytes, take(take_number(1)));
      case 'B':  // BINBYTES
        return push_text(type::bytes, take(take_number(4)));
      case '(':
        return push(type::mark);
      case ')':
        return push_tuple({});
      case 0x85:
      case 0x86:
      case 0x87:
        return push_tuple_of(code - 0x84);
      case 't':
        return push_tuple(pop_to_mark());
      case ']':
        return push(type::list);
      case '}':
        return push(type::dictionary);
      case 'a':
        return append({pop()}, type::list);
      case 'e':
        return append(pop_to_mark(), type::list);
      case 's': {
        const int value = pop(), key = pop();
        return append({key, value}, type::dictionary);
      }
      case 'u':
        return append(pop_to_mark(), type::dictionary);
      case 'q':
        return remember(take_number(1));
      case 'r':
        return remember(take_number(4));
      case 0x94:  // MEMOIZE
        return remember(memo_.size());
      case 'h':
        return recall(take_number(1));
      case 'j':
        return recall(take_number(4));
      case 'c': {
        const std::string module = take_line();
        return push_global(module, take_line());
      }
      case 0x93: {  // STACK_GLOBAL
        const int name = pop(), module = pop();
        if (at(name).kind != type::text || at(module).kind != type::text) refuse("a global whose name is no text");
        return push_global(at(module).text, at(name).text);
      }
      case 'Q':
        return push_storage(pop());
      case 'R': {
        const int arguments = pop(), callable = pop();
        if (at(callable).kind != type::global || at(arguments).kind != type::tuple)
          refuse("calls something that is no function, at byte ", at_);
        return call(at(callable).text, at(arguments).items);
      }
      case 'b': {  // BUILD: the attributes of a state dict's OrderedDict (versions of modules), which say nothing about tensors
        pop();
        if (at(top()).kind != type::dictionary) refuse("sets attributes of something that has none, at byte ", at_);
        return true;
      }
      default:
        return false;
    }
  }

  bool push_long(std::string_view digits) {
    if (digits.size() > 8) refuse("an integer of ", digits.size(), " bytes");
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < digits.size(); ++i) value |= std::uint64_t{static_cast<unsigned char>(digits[i])} << (8 * i);
    if (!digits.empty() && digits.size() < 8 && (static_cast<unsigned char>(digits.back()) & 0x80U) != 0)
      value |= ~std::uint64_t{0} << (8 * digits.size());
    return push_number(type::integer, static_cast<index_t>(value));
  }

  bool push_real() {
    const std::string_view part = take(8);  // big-endian
    std::uint64_t bits = 0;
    for (const char c : part) bits = (bits << 8) | static_cast<unsigned char>(c);
    push(type::real);
    std::memcpy(&at(stack_.back()).real, &bits, 8);
    return true;
  }

  // ---- what PyTorch's pickles may name

  bool push_global(std::string_view module, std::string_view name) {
    std::string full = text_of(module, ".", name);
    static constexpr std::string_view functions[] = {"collections.OrderedDict", "torch._utils._rebuild_tensor_v2",
                                                     "torch._utils._rebuild_tensor", "torch._utils._rebuild_parameter"};
    bool known = module == "torch" && storage_type(name) != nullptr;
    for (const std::string_view f : functions) known = known || full == f;
    if (!known)
      refuse("names ", full,
             ", which no dictionary of tensors needs; save the state dict alone: torch.save(model.state_dict(), file)");
    return push_text(type::global, full);
  }

  struct storage_row {
    std::string_view name;
    dtype element;
  };
  static const storage_row* storage_type(std::string_view name) {
    static constexpr storage_row rows[] = {{"FloatStorage", dtype::f32}, {"DoubleStorage", dtype::f64},
                                           {"HalfStorage", dtype::f16},  {"BFloat16Storage", dtype::bf16},
                                           {"LongStorage", dtype::i64},  {"IntStorage", dtype::i32},
                                           {"ShortStorage", dtype::i16}, {"CharStorage", dtype::i8},
                                           {"ByteStorage", dtype::u8},   {"BoolStorage", dtype::boolean}};
    for (const storage_row& row : rows)
      if (row.name == name) return &row;
    return nullptr;
  }

  /// ('storage', torch.FloatStorage, '0', 'cpu', 23232).
  bool push_storage(int id) {
    const bool five = at(id).kind == type::tuple && at(id).items.size() == 5;
    const std::vector<int> parts = five ? at(id).items : std::vector<int>();
    const auto is = [&](std::size_t i, type kind) { return at(parts[i]).kind == kind; };
    if (!five || !is(0, type::text) || at(parts[0]).text != "storage" || !is(1, type::global) || !is(2, type::text) ||
        !is(3, type::text) || !is(4, type::integer) || at(parts[2]).text.size() > 255)
      refuse("a persistent object that is no storage, before byte ", at_);
    const std::string name = at(parts[1]).text;
    const storage_row* row = storage_type(std::string_view(name).substr(name.rfind('.') + 1));
    if (row == nullptr) refuse(name, " is no storage");
    const index_t count = at(parts[4]).number;
    if (count < 0) refuse("a storage of ", count, " elements");
    const std::string key = at(parts[2]).text;
    push_number(type::storage, count);
    at(stack_.back()).text = key;
    at(stack_.back()).element = row->element;
    return true;
  }

  bool call(const std::string& function, const std::vector<int>& arguments) {
    // Nothing may be pushed before the last look at `function` and `arguments`, which lie among the objects.
    const auto wanted = [&](bool right) {
      if (!right) refuse("wrong arguments for ", function, ", before byte ", at_);
    };
    const auto is = [&](std::size_t i, type kind) { return i < arguments.size() && at(arguments[i]).kind == kind; };
    if (function == "collections.OrderedDict") {
      wanted(arguments.empty());
      return push(type::dictionary);
    }
    if (function == "torch._utils._rebuild_parameter") {
      wanted(arguments.size() >= 2 && is(0, type::tensor));
      stack_.push_back(arguments[0]);
      return true;
    }
    // (storage, offset, size, stride, ...): what follows concerns gradients.
    wanted(function.starts_with("torch._utils._rebuild_tensor") && arguments.size() >= 4 && is(0, type::storage) &&
           is(1, type::integer) && is(2, type::tuple) && is(3, type::tuple));
    std::vector<int> parts{arguments[0], arguments[2], arguments[3]};
    push_number(type::tensor, at(arguments[1]).number);
    at(stack_.back()).items = std::move(parts);
    return true;
  }

  std::string_view bytes_;
  std::string_view source_;
  std::size_t at_ = 0;
  pickle_objects objects_;
  std::vector<int> stack_;
  std::map<std::uint64_t, int> memo_;
};

}  // namespace detail

/// Reads one pickle. Throws file_error, with `source` before the text, naming the function, class or opcode that is refused.
inline pickle_objects parse_pickle(std::string_view bytes, std::string_view source) {
  return detail::pickle_machine(bytes, source).run();
}

}  // namespace minicnn::inline MINICNN_ABI
