#include "apps/troupe/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <string_view>
#include <vector>

#include "actors/version.hpp"
#include "apps/troupe/checks.hpp"
#include "apps/troupe/help.hpp"
#include "apps/troupe/train_options.hpp"

namespace troupe::command {

namespace {

constexpr auto overview = R"(Troupe trains agents: actors that learn together, in one process or in several.

Usage: troupe COMMAND [options]

Commands
  train       train a model with agents that share the work
  node        wait for jobs of other machines and host agents of theirs
  standby     follow a job, and go on with it should its first process be gone
  audit       check which samples took effect in a run
  certs       make the certificates with which the nodes of a job know each other
  ping        measure the connections to nodes and between them
  version     print the version

`troupe COMMAND --help` has the options of each.
)";

constexpr auto train_description = R"(Trains a model with agents that share each batch, and prints how it goes.

Usage: troupe train [JOB.toml] [options])";

constexpr auto train_footer = R"(Examples
  troupe train                                       the default model on the built-in digits
  troupe train --model resnet20 --data ~/cifar-10 --epochs 12 --agents 2 --report run.json
  troupe train job.toml --seed 7                     a job file, with another seed
  troupe train --checkpoint run1 --resume            again after Ctrl-C: goes on where it stopped

Exit codes: 0 done, or stopped by Ctrl-C; 1 the run failed; 2 the job cannot run as described.)";

constexpr auto node_description = R"(Waits for jobs and hosts agents of theirs, until it is stopped.

Usage: troupe node [options])";

constexpr auto node_footer = R"(Example
  troupe node --listen 127.0.0.1:7001 --slots 2
  troupe train --agents 2 --nodes 127.0.0.1:7001

  troupe node --listen a.example:7001 --certs certs/a.example

Without --certs a node takes work from whoever can reach its port: an address that other machines
can reach takes --certs or, on a network that you trust, --insecure.)";

constexpr auto standby_description =
  R"(Follows the job whose `troupe train` names it with --standby, and goes on with it where that left off,
should that process or its host be gone. Ends with the job.

Usage: troupe standby [options])";

constexpr auto standby_footer = R"(Example
  troupe node --listen a.example:7001 --certs certs                                        on a.example
  troupe standby --listen b.example:7002 --certs certs --export weights.safetensors        on b.example
  troupe train --nodes a.example:7001 --standby b.example:7002 --certs certs/leader

It opens the data under the name that `troupe train` gives, and keeps files in folders of its own.
Exit codes: 0 the job has ended, here or there; 1 what it led failed; 2 it cannot start as described.)";

constexpr auto certs_description =
  R"(Makes the certificates of a job: with them its processes prove to each other who they are, and
encrypt what they say.

Usage: troupe certs DIR [options])";

constexpr auto certs_footer = R"(Example
  troupe certs certs --job digits --node a.example --node b.example,192.0.2.7
  scp -r certs/a.example a.example:certs
  troupe node --listen a.example:7001 --certs certs            on a.example, likewise on the other
  troupe train --nodes a.example:7001,b.example:7001 --certs certs/leader

DIR/ca holds the key that makes certificates: keep it where this command was run. With it, the same
command makes certificates of nodes that come later. Nothing is overwritten.)";

constexpr auto ping_description =
  R"(Measures the connections to running `troupe node`s, and between them: how long the answer to a
small message takes, and how fast tensors pass to the other side and from there.

Usage: troupe ping HOST:PORT,.. [options])";

constexpr auto ping_footer = R"(Example
  troupe ping a.example:7001,b.example:7001 --certs certs/leader

Exit codes: 0 every connection was measured; 1 a node does not answer, or cannot reach another one;
2 nothing can be measured as asked.)";

constexpr auto audit_text =
  R"(Checks the ledger of a run: every sample of every step took effect once, and was the one that the
seed gives to its place.

Usage: troupe audit DIR

DIR is the folder of --checkpoint or --ledger. Exit codes: 0 nothing is missing or doubled; 1 something is; 2 there is no
ledger in DIR.
)";

using arguments = std::span<const char* const>;

/// The options of `troupe node` as they are spelled.
struct node_options_spelling {
  node_options options;
  std::string listen = "127.0.0.1:0";
};

void declare(CLI::App& app, node_options_spelling& spelling) {
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)->group("Options");
  app.add_option("--listen", spelling.listen, "address to wait for jobs on; port 0 takes any free one")
    ->option_text("HOST:PORT")
    ->check(host_and_port())
    ->capture_default_str();
  app.add_option("--slots", spelling.options.slots, "agents it takes at most")
    ->option_text("N")
    ->check(whole_number(1, 4096))
    ->capture_default_str();
  app.add_option("--threads", spelling.options.threads, "per agent [as the job says]")
    ->option_text("N")
    ->check(whole_number(1, 4096));
  app
    .add_option("--certs", spelling.options.certs,
                "folder with this node's certificate, from troupe certs: who has none of the same job is not let in")
    ->option_text("DIR");
  app.add_flag("--insecure", spelling.options.insecure,
               "listen where other machines can reach it, without --certs: whoever does can give it work");
  // For worker processes, which `troupe train` starts: they end when their parent is gone.
  app.add_option("--parent-pipe", spelling.options.parent_pipe)->check(whole_number(0, 1 << 20))->group("");
}

/// HOST:PORT, which was checked, into options that have both.
template <class Options>
void take_address(const std::string& listen, Options& to) {
  const auto colon = listen.rfind(':');
  to.host = listen.substr(0, colon);
  std::from_chars(listen.data() + colon + 1, listen.data() + listen.size(), to.port);
}

node finished(node_options_spelling spelling) {
  take_address(spelling.listen, spelling.options);
  return {spelling.options};
}

bool asks_for_help(arguments given) {
  return std::ranges::any_of(given, [](std::string_view each) { return each == "-h" || each == "--help"; });
}

/// The sentence on what no option took.
failure not_taken(const CLI::App& app, const std::vector<std::string>& left_over) {
  const auto dashed = std::ranges::find_if(left_over, [](const auto& each) { return each.starts_with('-'); });
  if (dashed == left_over.end())
    return {fmt::format("`troupe {}` takes no argument {}: see its --help", app.get_name(), left_over.front())};
  const auto wrong = dashed->substr(0, dashed->find('='));
  std::vector<std::string> known;
  for (const auto* option : app.get_options([](const CLI::Option* o) { return o->nonpositional(); }))
    known.push_back("--" + option->get_single_name());
  const auto meant = nearest(wrong, known);
  return {meant.empty() ? fmt::format("unknown option {}: see troupe {} --help", wrong, app.get_name())
                        : fmt::format("unknown option {}: is {} meant?", wrong, meant)};
}

expected<void> apply(CLI::App& app, arguments given) {
  app.allow_extras();
  try {
    app.parse(std::vector<std::string>(given.rbegin(), given.rend())); // CLI11 takes them from last to first
  } catch (const CLI::Error& error) {
    return fail(sentence(error));
  }
  if (const auto left_over = app.remaining(); !left_over.empty())
    return tl::unexpected(not_taken(app, left_over));
  return {};
}

/// An app without CLI11's own help, which ends the parsing where it stands.
void prepare(CLI::App& app, std::string footer) {
  app.footer(std::move(footer));
  app.set_help_flag();
}

expected<request> parse_train(arguments given) {
  CLI::App app(train_description, "train");
  prepare(app, train_footer);
  train_options options(app);
  if (asks_for_help(given))
    return print_text{help_text(app)};
  if (const auto applied = apply(app, given); !applied)
    return tl::unexpected(applied.error());
  return options.finish();
}

expected<request> parse_node(arguments given) {
  CLI::App app(node_description, "node");
  prepare(app, node_footer);
  node_options_spelling spelling;
  declare(app, spelling);
  if (asks_for_help(given))
    return print_text{help_text(app)};
  if (const auto applied = apply(app, given); !applied)
    return tl::unexpected(applied.error());
  return finished(std::move(spelling));
}

expected<request> parse_standby(arguments given) {
  CLI::App app(standby_description, "standby");
  prepare(app, standby_footer);
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)->group("Options");
  standby result;
  std::string listen = "127.0.0.1:0";
  const auto file = [&](const char* name, std::string& value, const char* kind, const char* text) {
    app.add_option(name, value, text)->option_text(kind);
  };
  app.add_option("--listen", listen, "address to wait for the leader on; port 0 takes any free one")
    ->option_text("HOST:PORT")
    ->check(host_and_port())
    ->capture_default_str();
  file("--certs", result.options.certs, "DIR", "folder with this host's certificate, a node's of troupe certs");
  app.add_flag("--insecure", result.options.insecure, "listen where other machines can reach it, without --certs");
  file("--checkpoint", result.options.checkpoint, "DIR", "keep checkpoints here once it leads");
  file("--ledger", result.options.ledger, "DIR",
       "record here which samples take effect at which step once it leads [a folder in --checkpoint]");
  file("--export", result.options.export_to, "FILE", "write the weights here at the end, if it leads then");
  file("--report", result.report, "FILE.json", "write a report of what it has led here");
  file("--events", result.events, "FILE.jsonl", "write what happens here as it happens, once it leads");
  if (asks_for_help(given))
    return print_text{help_text(app)};
  if (const auto applied = apply(app, given); !applied)
    return tl::unexpected(applied.error());
  take_address(listen, result.options);
  return result;
}

expected<request> parse_certs(arguments given) {
  CLI::App app(certs_description, "certs");
  prepare(app, certs_footer);
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)->group("Options");
  certs result;
  std::string folder;
  int days = static_cast<int>(result.order.valid.count());
  app.add_option("folder", folder);
  app.add_option("--job", result.order.job, "its name; once there is a CA, it has one")->option_text("NAME");
  app
    .add_option("--node", result.order.nodes,
                "host or address as --nodes names it, or several of one node: a.example,192.0.2.7; may be repeated")
    ->option_text("HOST,..")
    ->allow_extra_args(false)
    ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--days", days, "how long they are good")
    ->option_text("N")
    ->check(whole_number(1, 36500))
    ->capture_default_str();
  if (asks_for_help(given))
    return print_text{help_text(app)};
  if (const auto applied = apply(app, given); !applied)
    return tl::unexpected(applied.error());
  if (folder.empty())
    return fail("`troupe certs` takes the folder to make the certificates in: see its --help");
  result.order.folder = folder;
  result.order.valid = std::chrono::days{days};
  return result;
}

expected<request> parse_ping(arguments given) {
  CLI::App app(ping_description, "ping");
  prepare(app, ping_footer);
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)->group("Options");
  ping_command result;
  bool direct = false;
  uint64_t load = result.options.how.load_bytes >> 20;
  app.add_option("nodes", result.options.nodes)
    ->delimiter(',')
    ->check(host_and_port())
    ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app
    .add_option("--certs", result.options.certs,
                "folder with this process's certificate, the leader of troupe certs, for nodes that are started with "
                "theirs")
    ->option_text("DIR");
  app.add_flag("--direct", direct, "only the connections from here, not those between the nodes");
  app.add_option("--count", result.options.how.round_trips, "small messages for each connection")
    ->option_text("N")
    ->check(whole_number(1, 10000))
    ->capture_default_str();
  app.add_option("--load", load, "size of a tensor, in MiB; less is sent where a connection is slow")
    ->option_text("N")
    ->check(whole_number(1, most_ping_bytes >> 20))
    ->capture_default_str();
  app.add_flag("--json", result.json, "print JSON: times in microseconds, bandwidth in bytes a second");
  if (asks_for_help(given))
    return print_text{help_text(app)};
  if (const auto applied = apply(app, given); !applied)
    return tl::unexpected(applied.error());
  if (result.options.nodes.empty())
    return fail("`troupe ping` takes the addresses of nodes, HOST:PORT,..: see its --help");
  result.options.between = !direct;
  result.options.how.load_bytes = load << 20;
  return result;
}

expected<request> parse_audit(arguments given) {
  if (asks_for_help(given))
    return print_text{audit_text};
  if (given.size() != 1 || std::string_view{given.front()}.starts_with('-'))
    return fail("`troupe audit` takes one argument, the folder of a run's checkpoints or ledger: see its --help");
  return audit{given.front()};
}

} // namespace

expected<request> parse(std::span<const char* const> given) {
  const std::string command = given.empty() ? "--help" : given.front();
  const auto rest = given.empty() ? given : given.subspan(1);
  if (command == "train")
    return parse_train(rest);
  if (command == "node")
    return parse_node(rest);
  if (command == "standby")
    return parse_standby(rest);
  if (command == "audit")
    return parse_audit(rest);
  if (command == "certs")
    return parse_certs(rest);
  if (command == "ping")
    return parse_ping(rest);
  if ((command == "version" || command == "--version") && !rest.empty())
    return fail(fmt::format("`troupe {}` takes no arguments, and {} is one", command, rest.front()));
  if (command == "version" || command == "--version")
    return print_text{fmt::format("troupe {}\n", troupe_version)};
  if (command == "-h" || command == "--help" || command == "help")
    return print_text{overview};
  const auto meant = nearest(command, {"train", "node", "standby", "audit", "certs", "ping", "version"});
  return fail(meant.empty()
                ? fmt::format("unknown command {}: choose train, node, standby, audit, certs, ping or version", command)
                : fmt::format("unknown command {}: is {} meant?", command, meant));
}

} // namespace troupe::command
