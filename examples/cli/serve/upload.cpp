#include "upload.hpp"

#include <minicnn/data/image_format.hpp>

#include "upload_form.hpp"

namespace cli {

namespace {

std::span<const unsigned char> as_bytes(std::string_view text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

/// Pixels that decoding would take memory for, by the header alone; 0 for what cannot be decoded.
std::int64_t announced_pixels(const uploaded_picture& picture) {
  if (minicnn::detect_image_format(picture.bytes) == minicnn::image_format::unknown) return 0;
  try {
    const minicnn::image_header header = minicnn::check_image(picture.bytes, picture.name);
    return header.width * header.height;
  } catch (const minicnn::file_error&) {
    return 0;  // the decoder will say why, just as early
  }
}

void read_form(std::string_view body, const std::string& boundary, const upload_limits& limits,
               std::vector<uploaded_picture>& out) {
  const form_reader form(body, boundary);
  for (const form_part& part : form.parts()) {
    // A file input where nothing was chosen has an empty name and no bytes.
    if (!part.filename || (part.filename->empty() && part.content.empty())) continue;
    if (out.size() == static_cast<std::size_t>(limits.max_files))
      throw refusal{413, minicnn::text_of("more than ", limits.max_files, " files in one request (--max-files)"), ""};
    out.push_back({part.filename->empty() ? "picture" : *part.filename, as_bytes(part.content)});
  }
  if (out.empty()) throw refusal{400, "there is no picture in the request: send its bytes, or a form with files", ""};
}

void check_sizes(std::vector<uploaded_picture>& pictures, const upload_limits& limits) {
  std::int64_t all = 0;
  for (uploaded_picture& p : pictures) {
    if (static_cast<std::int64_t>(p.bytes.size()) > limits.max_size * megabyte)
      throw refusal{413, p.name + minicnn::text_of(": is larger than ", limits.max_size, " MB (--max-size)"), ""};
    p.pixels = announced_pixels(p);
    if (p.pixels > limits.max_pixels * megapixel)
      throw refusal{
          413, p.name + minicnn::text_of(": has ", p.pixels, " pixels, more than ", limits.max_pixels, " million (--max-pixels)"),
          ""};
    all += p.pixels;
  }
  if (all > limits.max_request_pixels * megapixel)
    throw refusal{413,
                  minicnn::text_of("the pictures have ", all, " pixels together, more than ", limits.max_request_pixels,
                                   " million (--max-request-pixels)"),
                  ""};
}

}  // namespace

std::vector<uploaded_picture> uploaded_pictures(std::string_view body, std::string_view content_type, const std::string& name,
                                                const upload_limits& limits) {
  std::vector<uploaded_picture> out;
  try {
    if (const std::optional<std::string> boundary = form_boundary(content_type))
      read_form(body, *boundary, limits, out);
    else
      out.push_back({name, as_bytes(body)});
  } catch (const minicnn::error& e) {
    throw refusal{400, e.what(), ""};
  }
  check_sizes(out, limits);
  return out;
}

}  // namespace cli
