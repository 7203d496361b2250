#include "commands.hpp"

#include "option_values.hpp"

namespace cli {

namespace {

/// Commands that other versions have. Refused by name, so that a script's author sees what is missing.
void add_unavailable([[maybe_unused]] CLI::App& app) {
#if !defined(MINICNN_WITH_SERVE)
  CLI::App* command = app.add_subcommand("serve")->group("")->prefix_command();
  command->set_help_flag();
#if defined(_WIN32)
  command->callback([] { throw usage_error("serve is not available on Windows"); });
#else
  command->callback([] { throw usage_error("serve is not available: this program was built without cpp-httplib"); });
#endif
#endif
}

}  // namespace

void add_commands(CLI::App& app, action& chosen) {
  add_train(app, chosen);
  add_evaluate(app, chosen);
  add_predict(app, chosen);
  add_submit(app, chosen);
  add_summary(app, chosen);
  add_check(app, chosen);
  add_bench(app, chosen);
  add_generate(app, chosen);
  add_pack(app, chosen);
  add_export(app, chosen);
  add_import(app, chosen);
  add_quantize(app, chosen);
  add_lr_find(app, chosen);
  add_compare(app, chosen);
#if defined(MINICNN_WITH_SERVE)
  add_serve(app, chosen);
#endif
  add_explain(app, chosen);
  add_unavailable(app);
  check_all_values(app);
}

}  // namespace cli
