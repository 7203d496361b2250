#include "alike_names.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <minicnn/core/printable.hpp>
#include <minicnn/core/utf8.hpp>
#include <minicnn/io/json.hpp>
#include <set>

#include "data_source.hpp"
#include "messages.hpp"

namespace cli {

namespace {

/// Letters from U+00C0 and from U+1E00 (Vietnamese among them) without their accents, where these are marks of their own in the
/// other way of writing them.
constexpr char latin[] =
    "AAAAAA.CEEEEIIII.NOOOOO..UUUUY..aaaaaa.ceeeeiiii.nooooo..uuuuy.y"
    "AaAaAaCcCcCcCcDd..EeEeEeEeEeGgGgGgGgHh..IiIiIiIiI...JjKk.LlLlLl....NnNnNn...OoOoOo..RrRrRrSsSsSsSsTtTt.."
    "UuUuUuUuUuUuWwYyYZzZzZz.";
constexpr char more_latin[] =
    "AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMmMmMmNnNnNnNnOoOoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTt"
    "UuUuUuUuUuVvVvWwWwWwWwWwXxXxYyZzZzZzhtwy......AaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEeEeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOo"
    "UuUuUuUuUuUuUuYyYyYyYy";
/// Others, each with its plain letter behind it: O and U with horn, letters of Greek and Cyrillic.
constexpr char32_t other_letters[] =
    U"\u01A0O\u01A1o\u01AFU\u01B0u\u0386\u0391\u0388\u0395\u0389\u0397\u038A\u0399\u038C\u039F\u038E\u03A5\u038F\u03A9"
    U"\u0390\u03B9\u03AA\u0399\u03AB\u03A5\u03AC\u03B1\u03AD\u03B5\u03AE\u03B7\u03AF\u03B9\u03B0\u03C5\u03CA\u03B9\u03CB\u03C5"
    U"\u03CC\u03BF\u03CD\u03C5\u03CE\u03C9\u0419\u0418\u0439\u0438\u0401\u0415\u0451\u0435\u0407\u0406\u0457\u0456";

/// Kana with a voicing mark; consonant pairs up to DI, pairs from DU to DO, triples of HA to HO. Katakana lies 0x60 higher.
char32_t unvoiced(char32_t c) {
  const char32_t shift = c >= 0x30A0 ? 0x60 : 0, kana = c - shift;
  if (kana >= 0x304B && kana <= 0x3062) return kana % 2 == 0 ? c - 1 : c;
  if (kana >= 0x3064 && kana <= 0x3069) return kana % 2 == 1 ? c - 1 : c;
  if (kana >= 0x306F && kana <= 0x307D) return c - kana % 3;
  return c;
}

/// The letter without its accents, or the same.
char32_t without_accents(char32_t c) {
  const auto in = [&](const char* table, std::size_t size, char32_t from) {
    return c >= from && c < from + size && table[c - from] != '.' ? static_cast<char32_t>(table[c - from]) : c;
  };
  if (c < 0xC0) return c;
  if (c <= 0x17F) return in(latin, sizeof latin - 1, 0xC0);
  if (c >= 0x1E00 && c <= 0x1EFF) return in(more_latin, sizeof more_latin - 1, 0x1E00);
  if (c >= 0x304B && c <= 0x30DD) return unvoiced(c);
  for (std::size_t i = 0; i + 1 < std::size(other_letters); i += 2)
    if (other_letters[i] == c) return other_letters[i + 1];
  return c;
}

/// Spaces of every width, and letters that are drawn as one.
bool is_blank(char32_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xA0 || c == 0x115F || c == 0x1160 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x2800 || c == 0x3000 ||
         c == 0x3164 || c == 0xFFA0;
}

/// What takes no room: marks of order and direction, joiners, selectors of a character's form.
bool is_unseen(char32_t c) {
  return minicnn::detail::is_unprintable(c) || c == 0x200C || c == 0x200D || (c >= 0x180B && c <= 0x180F) ||
         (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0xE0100 && c <= 0xE01EF);
}

bool is_accent(char32_t c) { return (c >= 0x300 && c <= 0x36F) || c == 0x3099 || c == 0x309A; }

/// Appends `c`, a Hangul syllable as its letters (Unicode standard, section 3.12).
void add_letter(std::string& out, char32_t c) {
  if (c < 0xAC00 || c > 0xD7A3) return minicnn::append_utf8(out, c);
  const std::uint32_t syllable = c - 0xAC00;
  minicnn::append_utf8(out, 0x1100 + syllable / 588);
  minicnn::append_utf8(out, 0x1161 + syllable % 588 / 28);
  if (syllable % 28 > 0) minicnn::append_utf8(out, 0x11A7 + syllable % 28);
}

/// The same small and without accents.
void add_plain(std::string& out, char32_t c) {
  c = without_accents(c);
  if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  if (c >= 0x391 && c <= 0x3A9) c += 0x20;  // Greek
  if (c >= 0x410 && c <= 0x42F) c += 0x20;  // Cyrillic
  add_letter(out, c);
}

/// `name` with one mark behind each letter that has accents, whichever, in whichever way of writing it.
std::string with_marks(const std::string& name) {
  constexpr char mark = '\1';
  std::string out;
  const auto add_mark = [&] {
    if (!out.ends_with(mark)) out += mark;
  };
  for (std::size_t at = 0; at < name.size();) {
    const auto [code, bytes] = minicnn::detail::decode_utf8(name, at);
    if (bytes == 0)
      out += name[at];
    else if (is_accent(code))
      add_mark();
    else if (add_letter(out, without_accents(code)); without_accents(code) != code)
      add_mark();
    at += bytes == 0 ? 1 : bytes;
  }
  return out;
}

std::string escaped(const std::string& name) { return minicnn::write_json(name, {.ascii = true, .tolerant = true}); }

}  // namespace

std::vector<std::string> missing_names(const std::vector<std::string>& from, const std::vector<std::string>& in) {
  std::vector<std::string> out;
  const std::set<std::string> known(in.begin(), in.end());
  for (const std::string& name : from)
    if (known.count(name) == 0) out.push_back(name);
  return out;
}

std::string remembered(const std::string& name) {
  std::string out;
  bool blank_end = false;  // blanks alone: a hyphen at the end says something, "A-"
  for (std::size_t at = 0; at < name.size();) {
    const auto [code, bytes] = minicnn::detail::decode_utf8(name, at);
    const bool blank = bytes > 0 && is_blank(code), gap = blank || (bytes > 0 && (code == '-' || code == '_'));
    if (bytes == 0)
      out += name[at];
    else if (gap)
      blank_end = blank && (blank_end || !out.ends_with('_')), out += out.empty() || out.ends_with('_') ? "" : "_";
    else if (!is_accent(code) && !is_unseen(code))
      add_plain(out, code);
    at += bytes == 0 ? 1 : bytes;
  }
  if (blank_end && out.ends_with('_')) out.pop_back();
  return out;
}

void warn_of_alike_names(const std::string& root, const std::vector<std::string>& names) {
  constexpr int most = 5;
  std::map<std::string, std::string> seen;
  int told = 0;
  for (const std::string& name : names) {
    const auto [first, is_new] = seen.emplace(remembered(name), name);
    if (is_new || ++told > most) continue;
    warn(root + ": the classes " + escaped(first->second) + " and " + escaped(name) +
         " are called alike and are two: rename or join their folders or labels if they should be one");
  }
  if (told > most) warn(minicnn::text_of(root, ": and ", told - most, " more that are called alike"));
}

std::string composition_difference(const std::vector<std::string>& some, const std::string& where,
                                   const std::vector<std::string>& others, const std::string& where_others) {
  std::map<std::string, std::string> there;
  for (const std::string& name : missing_names(others, some)) there.emplace(with_marks(name), name);
  for (const std::string& name : missing_names(some, others))
    if (const auto same = there.find(with_marks(name)); same != there.end())
      return " (the names differ only in Unicode composition, that is in how accents are written: as code points, " +
             escaped(name) + " is not " + escaped(same->second) + ", the first in " + where + ", the second in " + where_others +
             "; rename one)";
  return "";
}

std::string in_code_points(const std::vector<std::string>& some, const std::string& where, const std::vector<std::string>& others,
                           const std::string& where_others) {
  if (std::string text = composition_difference(some, where, others, where_others); !text.empty()) return text;
  std::vector<std::string> here = missing_names(some, others), there = missing_names(others, some);
  for (std::string& name : here) name = escaped(name);
  for (std::string& name : there) name = escaped(name);
  const auto has_escape = [](const std::string& text) { return text.find('\\') != text.npos; };
  if (here.empty() || there.empty() || std::none_of(here.begin(), here.end(), has_escape)) return "";
  return " (the same letters may be written in several ways: as code points, " + list_of(here) + " is not " + list_of(there) +
         ")";
}

}  // namespace cli
