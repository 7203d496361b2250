#include "request_guard.hpp"

#include "access_token.hpp"
#include "upload_form.hpp"

namespace cli {

namespace {

/// Where and how the server is asked.
void check_place(const request_head& head) {
  const bool page = head.path == "/" || head.path == "/health", predict = head.path == "/predict";
  if (!page && !predict) throw refusal{404, "there is no " + head.path + "; there are GET /, GET /health and POST /predict", ""};
  const bool taken = predict ? head.method == "POST" : head.method == "GET" || head.method == "HEAD";
  if (taken) return;
  const std::string allow = predict ? "POST" : "GET, HEAD";
  throw refusal{405, head.path + " takes " + allow + ", not " + head.method, allow};
}

void check_body(const request_head& head) {
  if (head.method != "POST") return;
  if (!head.length && !head.chunked) throw refusal{411, "the request says no Content-Length", ""};
  const std::string coding = lower_case(head.header("content-encoding").value_or("identity"));
  if (coding != "identity") throw refusal{415, "the body is compressed (Content-Encoding); pictures are sent as they are", ""};
  const std::optional<std::string> expected = head.header("expect");
  if (expected && lower_case(*expected) != "100-continue") throw refusal{417, "Expect: 100-continue alone is understood", ""};
}

}  // namespace

void request_guard::check(const request_head& head) const {
  const authority host = check_host(head);
  check_page(head, host);
  check_token(head);
  check_place(head);
  check_body(head);
}

/// Bound to this machine only, the door must not open for pages of other hosts whose names are made to point here.
authority request_guard::check_host(const request_head& head) const {
  const std::optional<std::string> text = head.header("host");
  if (!text || text->empty()) throw refusal{400, "the request names no Host", ""};
  const refusal foreign{403, "only requests to this machine's own name are answered", ""};
  const std::optional<authority> host = parse_authority(*text);
  if (!host) throw local_ ? foreign : refusal{400, "the Host is no name of a machine", ""};
  if (local_ && !is_this_machine(*host)) throw foreign;
  if (!head.target_host.empty() && parse_authority(head.target_host) != host)
    throw local_ ? foreign : refusal{400, "the address and the Host name two machines", ""};
  return *host;
}

/// What a browser says of the page that asks: only pages of this server may. Links from elsewhere to the page are no harm.
void request_guard::check_page(const request_head& head, const authority& host) const {
  const refusal foreign{403, "only pages of this server may ask it", ""};
  const auto own = [&](const std::string& text) {
    const std::optional<web_origin> origin = parse_origin(text);
    return origin && same_site(*origin, host) && (!local_ || origin->scheme == "http");
  };
  if (const auto origin = head.header("origin"); origin && !own(*origin)) throw foreign;
  const std::string site = lower_case(head.header("sec-fetch-site").value_or("none"));
  const bool followed_link = (head.method == "GET" || head.method == "HEAD") && head.path == "/" &&
                             lower_case(head.header("sec-fetch-mode").value_or("")) == "navigate";
  if (site != "none" && site != "same-origin" && !followed_link) throw foreign;
  if (const auto referer = head.header("referer"); referer && head.method == "POST") {
    const std::size_t scheme = referer->find("://");
    const std::size_t end = scheme == referer->npos ? scheme : referer->find_first_of("/?#", scheme + 3);
    if (!own(referer->substr(0, end))) throw foreign;
  }
}

void request_guard::check_token(const request_head& head) const {
  std::optional<std::string> asked;
  for (std::string_view query = head.query; !query.empty();) {
    const std::string_view one = query.substr(0, query.find('&')), name = one.substr(0, one.find('='));
    if (detail::percent_decoded(name) == "token") {
      if (asked) throw refusal{400, "token: is given more than once", ""};
      asked = detail::percent_decoded(one.substr((std::min)(name.size() + 1, one.size())));
    } else if (std::count(one.begin(), one.end(), '=') > 1) {  // httplib takes what stands behind the last one for the value
      throw refusal{400, "a parameter with two =: parameters have & between them, and %3D is a = in a value", ""};
    }
    query.remove_prefix((std::min)(query.size(), one.size() + 1));
  }
  const std::string given = head.header("authorization").value_or("");
  constexpr std::size_t scheme = 7;  // "Bearer "
  if (token_.empty() || (asked && equal_tokens(*asked, token_))) return;
  if (lower_case(given.substr(0, scheme)) == "bearer " && equal_tokens(minicnn::trimmed(given.substr(scheme)), token_)) return;
  throw refusal{401, "the token is missing or wrong: ?token=... in the address, or Authorization: Bearer ...", ""};
}

}  // namespace cli
