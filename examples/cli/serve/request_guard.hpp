#pragma once
// Who may ask the server for what. docs/reliability.md has the threats that this answers.

#include <string>

#include "request_head.hpp"

namespace cli {

/// Decides on a request by its head alone, before its body is received.
class request_guard {
 public:
  /// `local`: only requests that name this machine are answered. `token`: what callers must know; empty: nothing.
  request_guard(bool local, std::string token) : local_(local), token_(std::move(token)) {}

  /// Throws refusal: 400 malformed, 401 without the token, 403 from elsewhere, 404 and 405 for paths and methods that are not
  /// served, 411 without a length, 415 compressed, 417 for expectations but 100-continue.
  void check(const request_head& head) const;

 private:
  authority check_host(const request_head& head) const;
  void check_page(const request_head& head, const authority& host) const;
  void check_token(const request_head& head) const;

  bool local_;
  std::string token_;
};

}  // namespace cli
