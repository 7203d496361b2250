// minicnn serve. The only file that knows the HTTP library.

#include <httplib.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <minicnn/core/number.hpp>
#include <minicnn/core/parallel.hpp>
#include <minicnn/io/json.hpp>

#include "access_token.hpp"
#include "commands.hpp"
#include "front.hpp"
#include "interrupt.hpp"
#include "messages.hpp"
#include "option_values.hpp"
#include "path_json.hpp"
#include "prediction_service.hpp"
#include "request_guard.hpp"
#include "serve_page.hpp"
#include "upload.hpp"

namespace cli {

using minicnn::json;

namespace {

struct serve_options {
  inference_options inference;
  std::string host = "127.0.0.1";
  int port = 8080;
  std::string token;  ///< empty: none, or a new one where others can reach the server
  upload_limits pictures;
  int max_request = 64;  ///< MB of one request
  int upload_time = 30;  ///< seconds that a request may take to arrive
  int connections = 64;  ///< open at the same time
};

void set_json(httplib::Response& response, const json& text, int status = 200) {
  response.status = status;
  // Names of uploads may hold bytes that are not UTF-8, which JSON cannot carry.
  response.set_content(json_text(text) + "\n", "application/json");
}

/// A request that has arrived, given to httplib instead of a socket; takes the answer in.
class replay : public httplib::Stream {
 public:
  explicit replay(std::string head) : head_(std::move(head)) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    const std::size_t count = (std::min)(size, head_.size() - read_);
    std::copy_n(head_.data() + read_, count, to);
    read_ += count;
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* from, std::size_t size) override {
    answer_.append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

  std::string take_answer() { return std::move(answer_); }

 private:
  std::string head_, answer_;
  std::size_t read_ = 0;
};

/// httplib binds the address, finds the handler for a path and writes its response; cli::front receives and sends.
class router : public httplib::Server {
 public:
  int listener() const { return svr_sock_; }

  std::string respond(received_request& received) {
    const request_head& head = received.head;
    // Nothing but this line is left to httplib's own reading: it decodes escapes in headers and skips lines it does not know.
    replay stream(head.method + " " + head.path + (head.query.empty() ? "" : "?" + head.query) + " HTTP/1.1\r\n\r\n");
    bool closed = false;
    process_request(stream, true, closed, [&](httplib::Request& request) {
      request.body = std::move(received.body);
      // Under a name of its own, as httplib would take a form apart itself.
      request.set_header(upload_type, head.header("content-type").value_or(""));
      request.progress = [up = received.given_up](std::uint64_t, std::uint64_t) { return !*up; };
    });
    return stream.take_answer();
  }

  static constexpr const char* upload_type = "Upload-Type";
};

/// A number in the query, or `otherwise`.
std::size_t number_of(const httplib::Request& request, const char* name, std::size_t otherwise) {
  if (!request.has_param(name)) return otherwise;
  const std::string text = request.get_param_value(name);
  const auto value = minicnn::parse_whole_number<std::size_t>(text);
  if (!value || *value < 1) throw refusal{400, std::string(name) + ": wanted a whole number above 0, got \"" + text + "\"", ""};
  return *value;
}

/// "?explain" and "?explain=1"; not if it is missing.
bool is_asked(const httplib::Request& request, const char* name) {
  if (!request.has_param(name)) return false;
  const std::string text = lower_case(request.get_param_value(name));
  for (const char* yes : {"", "1", "true", "yes", "on"})
    if (text == yes) return true;
  for (const char* no : {"0", "false", "no", "off"})
    if (text == no) return false;
  throw refusal{400, std::string(name) + ": wanted 1 or 0, got \"" + text + "\"", ""};
}

/// What is not understood is refused, not left unread.
void check_query(const httplib::Request& request) {
  for (const auto& [name, value] : request.params) {
    if (name != "top" && name != "explain" && name != "name" && name != "token")
      throw refusal{400, "there is no parameter \"" + name + "\"; there are top, explain and name", ""};
    if (request.get_param_value_count(name) > 1) throw refusal{400, name + ": is given more than once", ""};
  }
}

/// POST /predict
void predict(const httplib::Request& request, httplib::Response& response, prediction_service& service, const serve_options& o) {
  try {
    check_query(request);
    const std::vector<std::string>& classes = service.info().classes;
    const std::size_t shown = number_of(request, "top", classes.size());
    const bool explain = is_asked(request, "explain");
    const std::string name = request.has_param("name") ? request.get_param_value("name") : "picture";
    const std::vector<uploaded_picture> pictures =
        uploaded_pictures(request.body, request.get_header_value(router::upload_type), name, o.pictures);
    const auto given_up = [&] { return !request.progress(0, 0); };
    const std::vector<picture_answer> answers = service.answer(pictures, explain, given_up);
    if (given_up()) throw refusal{503, "nobody waits for the answer", ""};
    json list = json::array{};
    std::size_t failed = 0, foreign = 0;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const picture_answer& a = answers[i];
      json one{{"name", pictures[i].name}};
      if (a.error.empty())
        add_ranking(one, minicnn::ranking(a.log_probabilities, classes), shown);
      else
        one["error"] = a.error;
      if (!a.overlay.empty()) one["overlay"] = a.overlay;
      if (!a.no_overlay.empty()) one["overlay_error"] = "the weights file " + a.no_overlay;
      list.push(one);
      failed += !a.error.empty();
      foreign += !a.is_picture;
    }
    if (failed == answers.size()) {
      const json text{{"error", pictures[0].name + ": " + answers[0].error}, {"predictions", list}};
      set_json(response, text, foreign == answers.size() ? 415 : 400);
    } else {
      set_json(response, {{"predictions", list}});
    }
  } catch (const refusal& r) {
    set_json(response, {{"error", r.reason}}, r.status);
  } catch (const std::bad_alloc&) {
    set_json(response, {{"error", "not enough memory for these pictures"}}, 503);
  } catch (const std::exception& e) {
    set_json(response, {{"error", e.what()}}, 500);
  }
}

void add_routes(httplib::Server& server, prediction_service& service, const serve_options& o) {
  const std::string page = serve_page(service.info(), o.pictures.max_size * megabyte);
  server.Get("/", [page](const httplib::Request&, httplib::Response& response) {
    response.set_header("Content-Security-Policy",
                        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; "
                        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    response.set_content(page, "text/html; charset=utf-8");
  });
  server.Get("/health", [&service, &o](const httplib::Request&, httplib::Response& response) {
    const model_info& info = service.info();
    set_json(response, {{"status", "ok"},
                        {"version", minicnn::version_string},
                        {"model", info.config.name},
                        {"title", minicnn::model_title(info.config)},
                        {"image_size", info.transform.size},
                        {"classes", info.classes},
                        {"tta", service.views()},
                        {"max_size_mb", o.pictures.max_size},
                        {"max_files", o.pictures.max_files},
                        {"max_request_mb", o.max_request},
                        {"max_megapixels", o.pictures.max_pixels},
                        {"max_request_megapixels", o.pictures.max_request_pixels}});
  });
  server.Post("/predict", [&service, &o](const httplib::Request& request, httplib::Response& response) {
    predict(request, response, service, o);
  });
  server.set_default_headers(
      {{"X-Content-Type-Options", "nosniff"}, {"Cache-Control", "no-store"}, {"Referrer-Policy", "no-referrer"}});
  // The library's default would let a second server share the port.
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
}

connection_limits limits_of(const serve_options& o) {
  connection_limits limits;
  limits.connections = static_cast<std::size_t>(o.connections);
  limits.upload_time = std::chrono::seconds(o.upload_time);
  limits.max_request = static_cast<std::uint64_t>(o.max_request * megabyte);
  limits.max_held = 2 * limits.max_request;
  return limits;
}

int listen_on(router& server, const serve_options& o) {
  // IPv6 addresses have brackets in a browser, none here.
  const bool brackets = o.host.size() > 2 && o.host.front() == '[' && o.host.back() == ']';
  const std::string host = brackets ? o.host.substr(1, o.host.size() - 2) : o.host == "*" ? "0.0.0.0" : o.host;
  const int port = o.port == 0 ? server.bind_to_any_port(host) : server.bind_to_port(host, o.port) ? o.port : -1;
  if (port < 0)
    minicnn::fail("cannot listen on ", o.host, " port ", o.port, ": in use, not allowed, or no address of this machine");
  listen(server.listener(), SOMAXCONN);  // httplib lets five wait
  return port;
}

bound_address bound_by(int listener) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  return getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &size) == 0 ? address_of(bound) : bound_address{};
}

/// Threads that hold a request while its pictures wait for their turn: one for each, as far as connections go.
int waiting_threads(const serve_options& o) {
  return (std::max)(minicnn::resolve_threads(o.inference.threads), (std::min)(o.connections, 64));
}

/// What a thread frees goes back to the system, whichever of them decodes the next large picture.
void keep_no_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_ARENA_MAX, 2);
#endif
}

int serve_command(const serve_options& o) {
  keep_no_freed_memory();
  catch_interrupts();
  prediction_service service(o.inference, o.pictures.max_pixels * megapixel);
  router server;
  add_routes(server, service, o);
  const int port = listen_on(server, o);
  const bound_address bound = bound_by(server.listener());
  const std::string token = o.token.empty() && !bound.local ? new_token() : o.token;
  const request_guard guard(bound.local, token);
  front door(
      server.listener(), limits_of(o), [&](const request_head& head) { guard.check(head); },
      [&](received_request& request) { return server.respond(request); }, waiting_threads(o));
  if (!bound.local)
    warn(o.host + " can be reached from other machines: whoever has the token can use it, and reads it on the way");
  if (bound.all) say("on all addresses of this machine; others put its name in the place of " + bound.here);
  // A token that was given is not repeated: whoever gave it knows it, and output ends in logs.
  const std::string address = !bound.here.empty()                                          ? bound.here
                              : o.host.find(':') == o.host.npos || o.host.starts_with('[') ? o.host
                                                                                           : "[" + o.host + "]";
  const std::string query = token.empty() || !o.token.empty() ? "" : "?token=" + token;
  std::printf("http://%s:%d/%s\n", address.c_str(), port, query.c_str());
  std::fflush(stdout);
  say("serving " + o.inference.weights + "; Ctrl-C stops");
  door.run(interrupted);
  if (!door.settled(std::chrono::seconds(1))) {  // nobody waits for it, and there is nothing to save
    say("stopped; a picture that was being computed is given up");
    std::fflush(nullptr);
    std::_Exit(exit_done);
  }
  say("stopped");
  return exit_done;
}

}  // namespace

void add_serve(CLI::App& app, action& chosen) {
  auto o = std::make_shared<serve_options>();
  CLI::App* command = app.add_subcommand(
      "serve",
      "a page on this machine where one drops photos and sees class, probability and where the network looks, and an endpoint\n"
      "for programs: POST /predict with the bytes of a picture, or with a form of files, answers with JSON (?top=K for the K "
      "most\n"
      "probable classes, ?explain=1 for Grad-CAM); GET /health. Prints its address; Ctrl-C stops it.");
  add_inference_options(*command, o->inference);
  command->add_option("--host", o->host, "address to listen on; only 127.0.0.1 and the like are closed to other machines")
      ->capture_default_str();
  command->add_option("--port", o->port, "0: any that is free")->transform(whole_from(0, 65535))->capture_default_str();
  command
      ->add_option(
          "--token", o->token,
          "secret that requests must bring, as ?token=... or Authorization: Bearer ...; where other machines can reach the "
          "server, one is made up and printed with the address")
      ->envname("MINICNN_TOKEN")
      ->check([](const std::string& text) { return is_plain_token(text) ? "" : "wanted 1 to 256 letters, digits and -._~"; });
  command->add_option("--max-size", o->pictures.max_size, "MB that a picture may have")
      ->transform(whole_from(1, 256))
      ->capture_default_str();
  command->add_option("--max-files", o->pictures.max_files, "pictures that a request may have")
      ->transform(whole_from(1, 1000))
      ->capture_default_str();
  command->add_option("--max-request", o->max_request, "MB that a request may have")
      ->transform(whole_from(1, 4096))
      ->capture_default_str();
  command->add_option("--max-pixels", o->pictures.max_pixels, "millions of pixels that a picture may have")
      ->transform(whole_from(1, 100))
      ->capture_default_str();
  command
      ->add_option("--max-request-pixels", o->pictures.max_request_pixels,
                   "millions of pixels that all pictures of a request may have")
      ->transform(whole_from(1, 10000))
      ->capture_default_str();
  command->add_option("--upload-time", o->upload_time, "seconds from the first byte of a request to its last")
      ->transform(whole_from(1, 3600))
      ->capture_default_str();
  command->add_option("--connections", o->connections, "open at the same time; beyond, those go that only hold a place")
      ->transform(whole_from(1, 1024))
      ->capture_default_str();
  command->callback([o, command, &chosen] {
    if (const char* token = std::getenv("MINICNN_TOKEN"); token != nullptr && *token == '\0' && command->count("--token") == 0)
      throw usage_error("MINICNN_TOKEN: is set to nothing; unset it to serve without a token, or give one");
    chosen = [o] { return serve_command(*o); };
  });
}

}  // namespace cli
