// What a server makes of a request's body: forms and chunks.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "request_body.hpp"
#include "upload_form.hpp"

namespace {

struct part {
  std::string name, filename, content;
  bool operator==(const part&) const = default;
};

std::vector<part> parts_of(const std::string& body, const std::string& boundary = "edge") {
  const cli::form_reader form(body, boundary);
  std::vector<part> out;
  for (const cli::form_part& p : form.parts()) out.push_back({p.name, p.filename.value_or("(field)"), std::string(p.content)});
  return out;
}

std::string one_file(const std::string& disposition, const std::string& content = "bytes") {
  return "--edge\r\nContent-Disposition: " + disposition + "\r\n\r\n" + content + "\r\n--edge--\r\n";
}

std::string filename_of(const std::string& disposition) {
  const std::vector<part> parts = parts_of(one_file(disposition));
  REQUIRE(parts.size() == 1);
  CHECK(parts[0].content == "bytes");
  return parts[0].filename;
}

}  // namespace

TEST_CASE("a NUL in a name is refused, which others take for its end") {
  const std::string nul(1, '\0');
  CHECK_THROWS_AS(parts_of(one_file("form-data; name=\"file\"; filename=\"a.jpg" + nul + ".sh\"")), minicnn::error);
  CHECK_THROWS_AS(parts_of(one_file("form-data; name=\"fi" + nul + "le\"")), minicnn::error);
  CHECK_THROWS_AS(parts_of(one_file("form-data; name=\"file\"; filename*=UTF-8''a%00.jpg")), minicnn::error);
}

TEST_CASE("chunks come in any pieces; what is none is refused") {
  const auto read = [](const std::string& text, std::size_t piece, std::uint64_t most = 100) {
    const cli::request_head head =
        cli::parse_head("POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    try {
      cli::request_body body(head, most, {413, "too large", ""});
      for (std::size_t i = 0; i < text.size(); i += piece) body.take(std::string_view(text).substr(i, piece));
      return body.complete() ? body.bytes() : std::string("not complete");
    } catch (const cli::refusal& r) {
      return std::to_string(r.status);
    }
  };
  for (std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{1000}}) {
    CHECK(read("5\r\nhello\r\nA; x=y\r\n, machines\r\n0\r\n\r\n", piece) == "hello, machines");
    CHECK(read("0\r\nTrailer: 1\r\n\r\nGET /", piece).empty());
    CHECK(read("5\r\nhello\r\n", piece) == "not complete");
    CHECK(read("5\r\nhello!\r\n0\r\n\r\n", piece) == "400");
    CHECK(read("x\r\n", piece) == "400");
    CHECK(read("-1\r\n", piece) == "400");
    CHECK(read("0x5\r\nhello\r\n", piece) == "400");
    CHECK(read("\r\n", piece) == "400");
    CHECK(read("5\nhello\n0\n\n", piece) == "400");
    // What readers of HTTP understand in two ways.
    CHECK(read(" 5\r\nhello\r\n0\r\n\r\n", piece) == "400");
    CHECK(read("\t5\r\nhello\r\n0\r\n\r\n", piece) == "400");
    CHECK(read("5;a\rb\r\nhello\r\n0\r\n\r\n", piece) == "400");
    CHECK(read("5\r\nhello\r\n0\r\nno trailer\r\n\r\n", piece) == "400");
    CHECK(read("5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\n\r\n", piece) == "400");
    CHECK(read("5 \r\nhello\r\n0\r\n\r\n", piece) == "hello");
    CHECK(read("fffffffffffffffff\r\n", piece) == "400");
    CHECK(read("ffffffffffffffff\r\n", piece) == "413");
    CHECK(read("3c\r\n" + std::string(60, 'a') + "\r\n3c\r\n", piece) == "413");
    CHECK(read(std::string(5000, '1'), piece) == "400");
  }
}

TEST_CASE("A13 forms are read as browsers, curl and libraries write them") {
  CHECK(filename_of("form-data; name=\"file\"; filename=\"1.jpg\"") == "1.jpg");
  CHECK(filename_of("form-data; name=file; filename=1.jpg") == "1.jpg");
  CHECK(filename_of("form-data; filename=1.jpg; name=file") == "1.jpg");
  CHECK(filename_of("form-data;filename=\"1.jpg\";name=\"file\"") == "1.jpg");
  CHECK(filename_of("FORM-DATA ; NAME = file ; FileName = 1.jpg ") == "1.jpg");
  CHECK(filename_of("form-data; name=\"file\"; filename*=UTF-8''caf%C3%A9%201.jpg") == "caf\xC3\xA9 1.jpg");
  CHECK(filename_of("form-data; name=\"file\"; filename=\"x.jpg\"; filename*=utf-8'de'1.jpg") == "1.jpg");
  CHECK(filename_of("form-data; filename*=UTF-8''1.jpg; filename=\"x.jpg\"; name=\"file\"") == "1.jpg");
  CHECK(filename_of(R"(form-data; name="file"; filename="a \"b\" \\ ; c.jpg")") == R"(a "b" \ ; c.jpg)");
  CHECK(filename_of(R"(form-data; name="file"; filename="C:\photos\1.jpg")") == R"(C:\photos\1.jpg)");
  CHECK(filename_of("form-data; name=\"name=x; filename=y\"; filename=\"1.jpg\"") == "1.jpg");
  CHECK(filename_of("form-data; flag; name=file; filename=1.jpg") == "1.jpg");
  CHECK(filename_of("form-data; name=\"file\"; filename=\"\"").empty());
  CHECK(filename_of("form-data; name=\"note\"") == "(field)");
}

TEST_CASE("A13 line ends, preambles, empty and repeated files, nested and missing boundaries") {
  const std::string head = "Content-Disposition: form-data; name=f; filename=1";
  CHECK(parts_of("--edge\n" + head + "\n\na\n--edge--\n") == std::vector<part>{{"f", "1", "a"}});
  CHECK(parts_of("preamble --edge\r\n--edgeless\r\n--edge \t\r\n" + head + "\r\n\r\na\r\n--edge--\r\nepilogue\r\n--edge\r\n") ==
        std::vector<part>{{"f", "1", "a"}});
  CHECK(parts_of("--edge\r\n" + head + "\r\n\r\n\r\n--edge\r\n" + head + "\r\n\r\n--edge\r\n" + head + "\r\n\r\nb\r\n--edge--") ==
        std::vector<part>{{"f", "1", ""}, {"f", "1", ""}, {"f", "1", "b"}});
  const std::string tricky = "\r\n--edgy\r\n--edg\r\n-- edge\r\n --edge\r\n--edge-\r\n--edge--x\r\n\r";
  CHECK(parts_of(one_file("form-data; name=f; filename=1", tricky)) == std::vector<part>{{"f", "1", tricky}});
  CHECK(parts_of("--edge--\r\n").empty());
  const std::string nested =
      "--edge\r\nContent-Disposition: form-data; name=all\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n"
      "--in\r\nContent-Disposition: file; filename=1\r\n\r\na\r\n"
      "--in\r\nContent-Disposition: attachment; filename=2\r\n\r\nb\r\n--in--\r\n--edge--\r\n";
  CHECK(parts_of(nested) == std::vector<part>{{"all", "1", "a"}, {"all", "2", "b"}});
  for (const std::string& damaged : {std::string(), std::string("--edge"), "--edge\r\n" + head + "\r\n\r\na\r\n",
                                     "--edge\r\n" + head + "\r\n\r\na--edge--\r\n", "--edge\r\n" + head + "\r\n\r\na\r\n--edge",
                                     std::string("--edge\r\nbroken\r\n\r\n\r\n--edge--"),
                                     "--edge\r\n" + head + "\r\nno end\r\n--edge--", one_file("form-data; name=\"f; filename=1"),
                                     "--edge\r\n" + head + "\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--edge--",
                                     "--edge\r\n" + head + "\r\nX: " + std::string(20000, 'x') + "\r\n\r\na\r\n--edge--"}) {
    CAPTURE(damaged.substr(0, 200));
    CHECK_THROWS_AS(parts_of(damaged), minicnn::error);
  }
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "--edge\r\n\r\n\r\n";
  CHECK_THROWS_AS(parts_of(many + "--edge--"), minicnn::error);
}

TEST_CASE("A13 headers of parts may be folded, as Python's email package does it") {
  const std::string folded =
      "--edge\r\nContent-Type: application/octet-stream\r\nContent-Disposition: form-data;\r\n "
      "name=\"f\";\r\n\tfilename=\"1\"\r\n"
      "X-Other: a\r\n b: c\r\n\r\na\r\n--edge--\r\n";
  CHECK(parts_of(folded) == std::vector<part>{{"f", "1", "a"}});
  CHECK_THROWS_AS(parts_of("--edge\r\n name=f\r\n\r\na\r\n--edge--\r\n"), minicnn::error);
}

TEST_CASE("A13 boundaries are quoted or not, and long") {
  const auto boundary = [](const std::string& type) { return cli::form_boundary(type).value_or("(no form)"); };
  CHECK(boundary("multipart/form-data; boundary=edge") == "edge");
  CHECK(boundary("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b;c\"") == "a b;c");
  CHECK(boundary("multipart/form-data; boundary=" + std::string(100, '-')) == std::string(100, '-'));
  CHECK(boundary("multipart/form-data; boundary=50%41") == "50%41");
  CHECK(boundary("image/png") == "(no form)");
  CHECK(boundary("") == "(no form)");
  CHECK(boundary("multipart/form-database; boundary=x") == "(no form)");
  for (const std::string& bad :
       {std::string("multipart/form-data"), std::string("multipart/form-data; boundary="),
        std::string("multipart/form-data; boundary=\"x"), std::string("multipart/form-data; boundary=a; boundary=b"),
        "multipart/form-data; boundary=" + std::string(300, 'x')}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(boundary(bad), minicnn::error);
  }
}
