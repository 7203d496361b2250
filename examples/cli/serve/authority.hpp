#pragma once
// Which machine a Host header, an Origin or a socket names: parsed, never compared by how it begins or ends. A web page can have
// any name point to 127.0.0.1 (DNS rebinding), so names that merely look local must not count.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace cli {

/// host[:port] as it stands in a Host header.
struct authority {
  std::string host;         ///< in lower case; an IPv6 address without its brackets
  std::optional<int> port;  ///< absent: the scheme's own
  bool ipv6 = false;

  bool operator==(const authority&) const = default;
};

/// scheme://host[:port] as it stands in an Origin header.
struct web_origin {
  std::string scheme;
  authority at;
};

inline std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// Nothing for what is no host[:port]: user names, spaces, empty names, ports beyond 65535.
inline std::optional<authority> parse_authority(std::string_view text) {
  authority out;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == text.npos) return {};
    out.ipv6 = true;
    out.host = lower_case(text.substr(1, end - 1));
    in6_addr address;
    if (inet_pton(AF_INET6, out.host.c_str(), &address) != 1) return {};
    port = text.substr(end + 1);
  } else {
    const std::size_t end = text.find(':');
    out.host = lower_case(text.substr(0, end));
    port = end == text.npos ? std::string_view() : text.substr(end);
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789-._";
    if (out.host.empty() || out.host.find_first_not_of(allowed) != out.host.npos) return {};
  }
  if (port.empty()) return out;
  if (port == ":") return out;  // RFC 3986, 3.2.3: a port may be empty
  if (port.front() != ':' || port.size() > 6) return {};
  int number = 0;
  for (const char c : port.substr(1)) {
    if (c < '0' || c > '9') return {};
    number = 10 * number + (c - '0');
  }
  if (number > 65535) return {};
  out.port = number;
  return out;
}

/// Nothing for "null" and for what has a path, a user name or no scheme.
inline std::optional<web_origin> parse_origin(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == text.npos) return {};
  const std::string scheme = lower_case(text.substr(0, end));
  const std::optional<authority> at = parse_authority(text.substr(end + 3));
  if ((scheme != "http" && scheme != "https") || !at) return {};
  return web_origin{scheme, *at};
}

/// True for "localhost", ::1 and the dotted quads 127.x.y.z alone: what no name server can make point elsewhere.
inline bool is_this_machine(const authority& a) {
  if (a.ipv6) {
    in6_addr address;
    return inet_pton(AF_INET6, a.host.c_str(), &address) == 1 && std::memcmp(&address, &in6addr_loopback, sizeof address) == 0;
  }
  in_addr address;
  return a.host == "localhost" || (inet_pton(AF_INET, a.host.c_str(), &address) == 1 && ntohl(address.s_addr) >> 24 == 127);
}

/// An address that a socket listens on, however --host spells it.
struct bound_address {
  bool local = false;  ///< other machines cannot reach it
  bool all = false;    ///< every address of this machine
  std::string here;    ///< where a browser of this machine finds it; empty if neither
};

inline bound_address address_of(const sockaddr_storage& bound) {
  bound_address out;
  char text[INET6_ADDRSTRLEN] = "";
  if (bound.ss_family == AF_INET6) {
    const in6_addr& at = reinterpret_cast<const sockaddr_in6&>(bound).sin6_addr;
    if (!IN6_IS_ADDR_V4MAPPED(&at)) {
      out.local = IN6_IS_ADDR_LOOPBACK(&at), out.all = IN6_IS_ADDR_UNSPECIFIED(&at);
      if (out.local || out.all) out.here = "[::1]";
      return out;
    }
  }
  in_addr at{};
  if (bound.ss_family == AF_INET)
    at = reinterpret_cast<const sockaddr_in&>(bound).sin_addr;
  else if (bound.ss_family == AF_INET6)  // IPv4 within IPv6
    std::memcpy(&at, reinterpret_cast<const sockaddr_in6&>(bound).sin6_addr.s6_addr + 12, sizeof at);
  else
    return out;
  out.local = ntohl(at.s_addr) >> 24 == 127, out.all = at.s_addr == INADDR_ANY;
  if (out.local) out.here = inet_ntop(AF_INET, &at, text, sizeof text);
  if (out.all) out.here = "127.0.0.1";
  return out;
}

/// True if a page of `origin` was served under the Host `host`.
inline bool same_site(const web_origin& origin, const authority& host) {
  const int default_port = origin.scheme == "https" ? 443 : 80;
  return origin.at.host == host.host && origin.at.ipv6 == host.ipv6 &&
         origin.at.port.value_or(default_port) == host.port.value_or(default_port);
}

}  // namespace cli
