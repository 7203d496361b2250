// minicnn serve. The only file that knows the HTTP library.

#include <httplib.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "commands.hpp"
#include "interrupt.hpp"
#include "messages.hpp"
#include "prediction_service.hpp"
#include "ranking.hpp"
#include "serve_page.hpp"

namespace cli {

using json = nlohmann::ordered_json;

namespace {

struct serve_options {
  inference_options inference;
  std::string host = "127.0.0.1";
  int port = 8080;
  int max_size = 10;     ///< MB of one picture
  int max_files = 16;    ///< in one request
  int max_request = 64;  ///< MB of one request
  int upload_time = 30;  ///< seconds that a request may take to arrive
  int connections = 16;  ///< requests that are received at the same time
};

constexpr std::uint64_t megabyte = 1 << 20;

/// What ends a request: an HTTP status and a sentence.
struct refusal {
  int status;
  std::string reason;
};

void set_json(httplib::Response& response, const json& text, int status = 200) {
  response.status = status;
  // Names of uploads may hold bytes that are not UTF-8, which JSON cannot carry.
  response.set_content(text.dump(-1, ' ', false, json::error_handler_t::replace) + "\n", "application/json");
}

/// Takes the pictures of one request in, within the limits.
class upload {
 public:
  upload(const httplib::Request& request, const serve_options& o) : request_(request), o_(o) {}

  /// Throws `refusal`. What is refused is read to its end nevertheless if that is not much: a sender that has not finished
  /// would see a broken connection instead of the answer.
  std::vector<uploaded_picture> receive(const httplib::ContentReader& reader) {
    const std::uint64_t announced = request_.get_header_value<std::uint64_t>("Content-Length");
    if (announced > 4 * most()) throw too_large();
    if (announced > most()) refuse(too_large());
    const auto bytes = [this](const char* data, std::size_t count) { return take(data, count); };
    bool complete = false;
    if (request_.is_multipart_form_data()) {
      complete = reader([this](const httplib::MultipartFormData& part) { return begin(part); }, bytes);
    } else {
      pictures_.push_back({request_.has_param("name") ? request_.get_param_value("name") : "picture", {}});
      complete = reader(bytes);
    }
    if (refused_) throw *refused_;
    if (!complete) throw refusal{400, "the request is damaged or ended too early"};
    if (pictures_.empty()) throw refusal{400, "there is no picture in the request: send its bytes, or a form with files"};
    return std::move(pictures_);
  }

 private:
  std::uint64_t most() const { return static_cast<std::uint64_t>(o_.max_request) * megabyte; }
  refusal too_large() const {
    return {413, minicnn::text_of("the request is larger than ", o_.max_request, " MB (--max-request)")};
  }

  /// From here on nothing is kept.
  void refuse(const refusal& why) {
    if (refused_) return;
    refused_ = std::make_unique<refusal>(why);
    pictures_.clear();
  }

  /// A part of a form. Those without a file name are fields, which nobody asked for.
  bool begin(const httplib::MultipartFormData& part) {
    keep_ = !part.filename.empty();
    if (refused_ || !keep_) return true;
    if (pictures_.size() == static_cast<std::size_t>(o_.max_files))
      refuse({413, minicnn::text_of("more than ", o_.max_files, " files in one request (--max-files)")});
    else
      pictures_.push_back({part.filename, {}});
    return true;
  }

  bool take(const char* data, std::size_t count) {
    total_ += count;
    if (std::chrono::steady_clock::now() - began_ > std::chrono::seconds(o_.upload_time)) {
      refuse({408, minicnn::text_of("the request took more than ", o_.upload_time, " seconds to arrive (--upload-time)")});
      return false;
    }
    if (total_ > most()) refuse(too_large());
    if (total_ > 4 * most()) return false;
    if (refused_ || !keep_) return true;
    std::vector<unsigned char>& bytes = pictures_.back().bytes;
    if (bytes.size() + count > static_cast<std::uint64_t>(o_.max_size) * megabyte) {
      refuse({413, pictures_.back().name + minicnn::text_of(": is larger than ", o_.max_size, " MB (--max-size)")});
      return true;
    }
    bytes.insert(bytes.end(), data, data + count);
    return true;
  }

  const httplib::Request& request_;
  const serve_options& o_;
  std::vector<uploaded_picture> pictures_;
  std::unique_ptr<refusal> refused_;
  std::uint64_t total_ = 0;
  bool keep_ = true;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

/// A number in the query, or `otherwise`.
std::size_t number_of(const httplib::Request& request, const char* name, std::size_t otherwise) {
  if (!request.has_param(name)) return otherwise;
  const std::string text = request.get_param_value(name);
  std::size_t value = 0;
  const auto [stop, reason] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (reason != std::errc() || stop != text.data() + text.size() || value < 1)
    throw refusal{400, std::string(name) + ": wanted a whole number above 0, got \"" + text + "\""};
  return value;
}

/// POST /predict
void predict(const httplib::Request& request, httplib::Response& response, const httplib::ContentReader& reader,
             prediction_service& service, const serve_options& o) {
  try {
    const std::vector<uploaded_picture> pictures = upload(request, o).receive(reader);
    const std::vector<std::string>& classes = service.info().classes;
    const std::size_t shown = number_of(request, "top", classes.size());
    const bool explain = request.has_param("explain") && request.get_param_value("explain") != "0";
    const std::vector<picture_answer> answers = service.answer(pictures, explain);
    json list = json::array();
    std::size_t failed = 0, foreign = 0;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const picture_answer& a = answers[i];
      json one{{"name", pictures[i].name}};
      if (a.error.empty())
        add_ranking(one, ranking(a.log_probabilities, classes), shown);
      else
        one["error"] = a.error;
      if (!a.overlay.empty()) one["overlay"] = a.overlay;
      list.push_back(one);
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

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

/// The host of a Host header, without the port.
std::string host_of(const std::string& header) {
  if (header.starts_with("[")) return header.substr(1, header.find(']') - 1);
  return header.substr(0, header.find(':'));
}

void add_routes(httplib::Server& server, prediction_service& service, const serve_options& o) {
  const std::string page =
      serve_page(service.info(), static_cast<std::int64_t>(o.max_size) * static_cast<std::int64_t>(megabyte));
  server.Get("/", [page](const httplib::Request&, httplib::Response& response) {
    response.set_header("Content-Security-Policy",
                        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; "
                        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    response.set_content(page, "text/html; charset=utf-8");
  });
  server.Get("/health", [&service, &o](const httplib::Request&, httplib::Response& response) {
    const weights_info& info = service.info();
    set_json(response, {{"status", "ok"},
                        {"version", minicnn::version_string},
                        {"model", info.model.name},
                        {"image_size", info.picture.size},
                        {"classes", info.classes},
                        {"tta", service.views()},
                        {"max_size_mb", o.max_size},
                        {"max_files", o.max_files},
                        {"max_request_mb", o.max_request}});
  });
  server.Get("/predict", [](const httplib::Request&, httplib::Response& response) {
    response.set_header("Allow", "POST");
    set_json(response, {{"error", "/predict takes POST"}}, 405);
  });
  server.Post("/predict",
              [&service, &o](const httplib::Request& request, httplib::Response& response, const httplib::ContentReader& reader) {
                predict(request, response, reader, service, o);
              });
  const httplib::Server::HandlerWithResponse explain_error = [](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return httplib::Server::HandlerResponse::Unhandled;
    const int status = response.status;
    const std::string reason = status == 404 ? "there is no " + request.path + "; there are GET /, GET /health and POST /predict"
                                             : std::string("this request is not understood");
    set_json(response, {{"error", reason}}, status);
    return httplib::Server::HandlerResponse::Handled;
  };
  server.set_error_handler(explain_error);
  // Bound to this machine only, the door must not open for pages of other hosts whose names are made to point here.
  server.set_pre_routing_handler([local = is_loopback(o.host)](const httplib::Request& request, httplib::Response& response) {
    if (!local || is_loopback(host_of(request.get_header_value("Host")))) return httplib::Server::HandlerResponse::Unhandled;
    set_json(response, {{"error", "only requests to this machine's own name are answered"}}, 403);
    return httplib::Server::HandlerResponse::Handled;
  });
  // An upload that will be refused anyway is refused before it is sent, if the sender asks (curl does).
  server.set_expect_100_continue_handler([&o](const httplib::Request& request, httplib::Response& response) {
    if (request.get_header_value<std::uint64_t>("Content-Length") <= static_cast<std::uint64_t>(o.max_request) * megabyte)
      return 100;
    set_json(response, {{"error", minicnn::text_of("the request is larger than ", o.max_request, " MB (--max-request)")}}, 413);
    return 413;
  });
}

void set_limits(httplib::Server& server, const serve_options& o) {
  // A connection serves one request, so that what is left of a refused one is never taken for the next.
  server.set_keep_alive_max_count(1);
  server.set_keep_alive_timeout(2);
  server.set_read_timeout(std::chrono::seconds((std::min)(5, o.upload_time)));
  server.set_write_timeout(std::chrono::seconds(10));
  server.set_default_headers({{"X-Content-Type-Options", "nosniff"}, {"Cache-Control", "no-store"}});
  const auto connections = static_cast<std::size_t>(o.connections);
  server.new_task_queue = [connections] { return new httplib::ThreadPool(connections); };
  // The library's default would let a second server share the port.
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
}

int serve_command(const serve_options& o) {
  catch_interrupts();
  prediction_service service(o.inference);
  httplib::Server server;
  set_limits(server, o);
  add_routes(server, service, o);
  const int port = o.port == 0 ? server.bind_to_any_port(o.host) : server.bind_to_port(o.host, o.port) ? o.port : -1;
  if (port < 0)
    minicnn::fail("cannot listen on ", o.host, " port ", o.port, ": in use, not allowed, or no address of this machine");
  if (!is_loopback(o.host)) warn(o.host + " can be reached from other machines: whoever reaches it can use it");
  std::printf("http://%s:%d/\n", o.host.find(':') == o.host.npos ? o.host.c_str() : ("[" + o.host + "]").c_str(), port);
  std::fflush(stdout);
  say("serving " + o.inference.weights + "; Ctrl-C stops");

  // The main thread waits for the signal: a handler may not do what stopping takes.
  bool listened = false;
  std::atomic<bool> ended{false};
  std::thread listener([&] {
    listened = server.listen_after_bind();
    ended = true;
  });
  while (!interrupted() && !ended) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const bool asked = interrupted();
  server.stop();
  listener.join();
  if (!asked && !listened) minicnn::fail("the server on ", o.host, ":", port, " failed");
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
  command->add_option("--port", o->port, "0: any that is free")->check(CLI::Range(0, 65535))->capture_default_str();
  command->add_option("--max-size", o->max_size, "MB that a picture may have")->check(CLI::Range(1, 256))->capture_default_str();
  command->add_option("--max-files", o->max_files, "pictures that a request may have")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--max-request", o->max_request, "MB that a request may have")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--upload-time", o->upload_time, "seconds that a request may take to arrive")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  command->add_option("--connections", o->connections, "requests received at the same time; more wait")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->callback([o, &chosen] { chosen = [o] { return serve_command(*o); }; });
}

}  // namespace cli
