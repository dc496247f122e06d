#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <vector>

#include "actors/version.hpp"
#include "apps/troupe/options.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace troupe;
using namespace troupe::command;
using Catch::Matchers::ContainsSubstring;

namespace {

/// The job that `troupe train WORDS…` describes.
train parsed(std::vector<const char*> words) {
  words.insert(words.begin(), "train");
  const auto request = parse(words);
  if (!request)
    FAIL(request.error().sentence);
  return std::get<train>(*request);
}

/// Why `troupe WORDS…` is refused.
std::string refusal(std::vector<const char*> words) {
  const auto request = parse(words);
  return request ? "accepted" : request.error().sentence;
}

std::string printed(std::vector<const char*> words) {
  return std::get<print_text>(parse(words).value()).text;
}

} // namespace

TEST_CASE("a bare `troupe train` is the default job") {
  const auto request = parsed({});
  const job_options usual;
  CHECK(request.job.model == usual.model);
  CHECK(request.job.data == usual.data);
  CHECK(request.job.agents == usual.agents);
  CHECK(request.job.optimizer.kind == usual.optimizer.kind);
  CHECK(request.job.optimizer.learning_rate == usual.optimizer.learning_rate);
  CHECK(request.job.augment);
  CHECK(request.job.evaluate);
  CHECK_FALSE(request.quiet);
  CHECK_FALSE(request.print_tree);
}

TEST_CASE("every option of a job arrives in its place") {
  const auto request = parsed({"--model",
                               "mlp",
                               "--data",
                               "some/folder",
                               "--agents",
                               "3",
                               "--shards",
                               "2",
                               "--sync",
                               "tree",
                               "--fan-in",
                               "2",
                               "--batch",
                               "96",
                               "--micro-batch",
                               "8",
                               "--epochs",
                               "5",
                               "--steps",
                               "7",
                               "--optimizer",
                               "sgd",
                               "--lr",
                               "0.25",
                               "--momentum",
                               "0.5",
                               "--nesterov",
                               "--weight-decay",
                               "0.01",
                               "--clip-norm",
                               "2",
                               "--schedule",
                               "cosine",
                               "--precision",
                               "bf16",
                               "--device",
                               "cpu:0",
                               "--threads",
                               "4",
                               "--isolation",
                               "process",
                               "--nodes",
                               "a:1,b:2",
                               "--wait-for-nodes",
                               "7",
                               "--seed",
                               "18446744073709551615",
                               "--order",
                               "sequential",
                               "--exchange",
                               "rotate",
                               "--no-augment",
                               "--init",
                               "in.safetensors",
                               "--export",
                               "out.safetensors",
                               "--checkpoint",
                               "kept",
                               "--checkpoint-every",
                               "9",
                               "--resume",
                               "--target-accuracy",
                               "0.97",
                               "--log-every",
                               "11",
                               "--fault",
                               "agent/1@step=20:kill",
                               "--fault",
                               "coordinator/0:torn-write",
                               "--no-evaluate",
                               "--report",
                               "r.json",
                               "--events",
                               "e.jsonl",
                               "--print-tree",
                               "--quiet"});
  const auto& job = request.job;
  CHECK(job.model == "mlp");
  CHECK(job.data == "some/folder");
  CHECK(job.agents == 3);
  CHECK(job.shards == 2);
  CHECK(job.sync == "tree");
  CHECK(job.fan_in == 2);
  CHECK(job.batch == 96);
  CHECK(job.micro_batch == 8);
  CHECK(job.epochs == 5);
  CHECK(job.steps == 7);
  CHECK(job.optimizer.kind == learn::optimizer_kind::sgd);
  CHECK(job.optimizer.learning_rate == 0.25f);
  CHECK(job.optimizer.momentum == 0.5f);
  CHECK(job.optimizer.nesterov);
  CHECK(job.optimizer.weight_decay == 0.01f);
  CHECK(job.optimizer.clip_norm == 2.0f);
  CHECK(job.schedule.kind == learn::schedule_kind::cosine);
  CHECK(job.precision == learn::precision::bf16);
  CHECK(job.device == "cpu:0");
  CHECK(job.threads == 4);
  CHECK(job.isolation == isolation::process);
  CHECK(job.nodes == std::vector<std::string>{"a:1", "b:2"});
  CHECK(job.wait_for_nodes == std::chrono::seconds{7});
  CHECK(job.faults ==
        std::vector{parse_fault("agent/1@step=20:kill").value(), parse_fault("coordinator/0:torn-write").value()});
  CHECK(job.seed == UINT64_MAX);
  CHECK(job.order == learn::order_kind::sequential);
  CHECK(job.exchange == learn::exchange_kind::rotating);
  CHECK_FALSE(job.augment);
  CHECK(job.init == "in.safetensors");
  CHECK(job.export_to == "out.safetensors");
  CHECK(job.checkpoint == "kept");
  CHECK(job.checkpoint_every == 9);
  CHECK(job.resume);
  CHECK(job.target_accuracy == 0.97);
  CHECK(job.log_every == 11);
  CHECK_FALSE(job.evaluate);
  CHECK(request.report == "r.json");
  CHECK(request.events == "e.jsonl");
  CHECK(request.print_tree);
  CHECK(request.quiet);
}

TEST_CASE("rates that are left open follow the optimiser") {
  CHECK(parsed({"--optimizer", "adam"}).job.optimizer.learning_rate == 1e-3f);
  CHECK(parsed({"--optimizer", "adam", "--lr", "0.5"}).job.optimizer.learning_rate == 0.5f);
  CHECK(parsed({"--optimizer", "adamw"}).job.optimizer.weight_decay == 0.01f);
  CHECK(parsed({"--optimizer", "adamw", "--weight-decay", "0"}).job.optimizer.weight_decay == 0.0f);
  CHECK(parsed({"--optimizer", "rmsprop"}).job.optimizer.momentum == 0.0f);
  CHECK(parsed({"--optimizer", "rmsprop", "--momentum", "0.9"}).job.optimizer.momentum == 0.9f);
}

TEST_CASE("a job file fills in what the command line leaves open") {
  const test::temporary_folder folder;
  const auto file =
    folder.with("job.toml", "model = 'mlp'\nepochs = 4\nlr = 0.5\nresume = true\nnodes = ['a:1', 'b:2']\n"
                            "no-augment = false\n");
  for (const auto& request :
       {parsed({file.c_str(), "--epochs", "2"}), parsed({"--epochs", "2", "--job", file.c_str()})}) {
    CHECK(request.job.model == "mlp");
    CHECK(request.job.epochs == 2);
    CHECK(request.job.optimizer.learning_rate == 0.5f);
    CHECK(request.job.resume);
    CHECK(request.job.augment);
    CHECK(request.job.nodes == std::vector<std::string>{"a:1", "b:2"});
  }
}

TEST_CASE("the job files among the examples are job files") {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TROUPE_EXAMPLES)) {
    if (entry.path().extension() != ".toml")
      continue;
    const auto path = entry.path().string();
    CHECK(parsed({path.c_str()}).job.model != job_options{}.model);
    ++files;
  }
  CHECK(files > 0);
}

TEST_CASE("what a job file gets wrong is refused with file, line and key") {
  const test::temporary_folder folder;
  const auto refused = [&](const std::string& text) {
    return refusal({"train", folder.with("job.toml", text).c_str()});
  };
  CHECK_THAT(refused("model = 'mlp'\nepoch = 4\n"),
             ContainsSubstring("job.toml:2: unknown key epoch: is epochs meant?"));
  CHECK_THAT(refused("zebra-crossing = 4\n"),
             ContainsSubstring("job.toml:1: unknown key zebra-crossing: the keys are"));
  CHECK_THAT(refused("\n\nepochs = 'many'\n"), ContainsSubstring("job.toml:3: epochs takes a whole number"));
  CHECK_THAT(refused("job = 'other.toml'\n"), ContainsSubstring("job.toml:1: unknown key job"));
  CHECK_THAT(refused("zzz = 1\naaa = 2\n"), ContainsSubstring("job.toml:1: unknown key zzz"));
}

TEST_CASE("what the command line gets wrong is refused by name") {
  CHECK(refusal({"trian"}) == "unknown command trian: is train meant?");
  CHECK(refusal({"dance"}) == "unknown command dance: choose train, node, standby, audit, certs, ping or version");
  CHECK(refusal({"train", "--epoch", "3"}) == "unknown option --epoch: is --epochs meant?");
  CHECK(refusal({"train", "--epoch=3"}) == "unknown option --epoch: is --epochs meant?");
  CHECK(refusal({"train", "--zebra-crossing"}) == "unknown option --zebra-crossing: see troupe train --help");
  CHECK(refusal({"train", "--epochs", "0"}) == "--epochs takes a whole number from 1 on, not '0'");
  CHECK(refusal({"train", "--epochs", "-1"}) == "--epochs takes a whole number from 1 on, not '-1'");
  CHECK(refusal({"train", "--epochs", "3x"}) == "--epochs takes a whole number from 1 on, not '3x'");
  CHECK(refusal({"train", "--agents", "5000"}) ==
        "--agents takes a whole number from 1 to 4096 or a range such as 2..8, not '5000'");
  CHECK(refusal({"train", "--agents", "3..2"}) ==
        "--agents takes a whole number from 1 to 4096 or a range such as 2..8, not '3..2'");
  for (const auto* wrong : {"..", "2..", "..2", "2..x", "0..2", "2...3", "-1..2"})
    CHECK(refusal({"train", "--agents", wrong}).starts_with("--agents takes"));
  CHECK(refusal({"train", "--seed", "18446744073709551616"}) ==
        "--seed takes a whole number from 0 on, not '18446744073709551616'");
  CHECK(refusal({"train", "--lr", "nan"}) == "--lr takes a number from 0 on, not 'nan'");
  CHECK(refusal({"train", "--lr", "inf"}) == "--lr takes a number from 0 on, not 'inf'");
  CHECK(refusal({"train", "--target-accuracy", "97"}) == "--target-accuracy takes a number from 0 to 1, not '97'");
  CHECK(refusal({"train", "--epochs"}) == "--epochs needs a value");
  CHECK(refusal({"train", "--isolation", "none"}) == "--isolation takes one of thread, process, not 'none'");
  CHECK(refusal({"train", "--fault", "agent/1"}) ==
        "--fault is not understood: \"agent/1\" is no fault: write WHERE[@step=N]:KIND[=TIME], for example "
        "agent/1@step=20:kill");
  CHECK(refusal({"train", "--nodes", "a:1,b"}) == "--nodes takes HOST:PORT with a port from 0 to 65535, not 'b'");
  CHECK_THAT(refusal({"train", "--model", "lanet"}), ContainsSubstring("--model takes one of mlp, lenet,"));
  CHECK_THAT(refusal({"train", "--schedule", "triangle"}), ContainsSubstring("--schedule is not understood: "));
  CHECK(refusal({"train", "a.toml", "b.toml"}) == "`troupe train` takes no argument b.toml: see its --help");
  CHECK(refusal({"node", "--slot", "3"}) == "unknown option --slot: is --slots meant?");
  CHECK(refusal({"version", "now"}) == "`troupe version` takes no arguments, and now is one");
}

TEST_CASE("nodes come from a hosts file, named on the command line or in a job file") {
  const test::temporary_folder folder;
  const auto hosts = folder.with("hosts", "a:1 slots=2\nb:2 # spare\n");
  auto job = parsed({"--hostfile", hosts.c_str(), "--place", "one-per"}).job;
  CHECK(job.nodes == std::vector<std::string>{"a:1", "b:2"});
  CHECK(job.node_slots == std::vector<int>{2, 0});
  CHECK(job.place == place_rule::one_per);
  job = parsed({folder.with("job.toml", "hostfile = '" + hosts + "'\nplace = 'spread'\n").c_str()}).job;
  CHECK((job.nodes.size() == 2 && job.place == place_rule::spread));
  CHECK(refusal({"train", "--hostfile", hosts.c_str(), "--nodes", "c:3"}) ==
        "--nodes and --hostfile both name the nodes: give one of them");
  CHECK_THAT(refusal({"train", "--hostfile", folder.with("bad", "a:1\na\n").c_str()}),
             ContainsSubstring("bad:2: \"a\" is no node address"));
  CHECK(refusal({"train", "--place", "even"}) ==
        "--place is not understood: 'even' is no rule for places: choose spread, one-per or pack");
}

TEST_CASE("a node's address is split at its last colon") {
  const std::vector<const char*> words{"node",      "--listen", "::1:7001",      "--slots", "3",
                                       "--threads", "2",        "--parent-pipe", "5"};
  const auto options = std::get<node>(parse(words).value()).options;
  CHECK(options.host == "::1");
  CHECK(options.port == 7001);
  CHECK(options.slots == 3);
  CHECK(options.threads == 2);
  CHECK(options.parent_pipe == 5);
  CHECK(refusal({"node", "--listen", "localhost"}) ==
        "--listen takes HOST:PORT with a port from 0 to 65535, not 'localhost'");
  CHECK(refusal({"node", "--listen", "localhost:70000"}) ==
        "--listen takes HOST:PORT with a port from 0 to 65535, not 'localhost:70000'");
}

TEST_CASE("certificates are ordered by folder, job and nodes") {
  const std::vector<const char*> words{"certs", "there",  "--job",       "digits", "--node",
                                       "a",     "--node", "b,192.0.2.7", "--days", "7"};
  const auto order = std::get<certs>(parse(words).value()).order;
  CHECK(order.folder == "there");
  CHECK(order.job == "digits");
  CHECK(order.nodes == std::vector<std::string>{"a", "b,192.0.2.7"});
  CHECK(order.valid == std::chrono::days{7});
  CHECK(refusal({"certs"}) == "`troupe certs` takes the folder to make the certificates in: see its --help");
  CHECK(refusal({"certs", "there", "--days", "0"}) == "--days takes a whole number from 1 to 36500, not '0'");
}

TEST_CASE("what to ping is the addresses of nodes, and how") {
  const std::vector<const char*> words{"ping", "a:1,b:2", "--certs", "there",  "--count",
                                       "9",    "--load",  "64",      "--json", "--direct"};
  const auto wanted = std::get<ping_command>(parse(words).value());
  CHECK(wanted.options.nodes == std::vector<std::string>{"a:1", "b:2"});
  CHECK((wanted.options.certs == "there" && !wanted.options.between && wanted.json));
  CHECK((wanted.options.how.round_trips == 9 && wanted.options.how.load_bytes == most_ping_bytes));
  CHECK(std::get<ping_command>(parse(std::vector<const char*>{"ping", "a:1"}).value()).options.between);
  CHECK(refusal({"ping"}) == "`troupe ping` takes the addresses of nodes, HOST:PORT,..: see its --help");
  CHECK_THAT(refusal({"ping", "a"}), ContainsSubstring("takes HOST:PORT with a port from 0 to 65535, not 'a'"));
  CHECK(refusal({"ping", "a:1", "--load", "65"}) == "--load takes a whole number from 1 to 64, not '65'");
}

TEST_CASE("help is printed whatever else stands on the line") {
  const auto help = printed({"train", "--nonsense", "--help"});
  CHECK_THAT(help, ContainsSubstring("Usage: troupe train"));
  CHECK_THAT(help, ContainsSubstring("--micro-batch N"));
  CHECK_THAT(help, ContainsSubstring("[lenet]"));
  CHECK_THAT(help, ContainsSubstring("troupe train job.toml --seed 7"));
  CHECK_THAT(printed({"node", "-h"}), ContainsSubstring("--listen HOST:PORT") && !ContainsSubstring("--parent-pipe"));
  CHECK_THAT(printed({}), ContainsSubstring("troupe COMMAND [options]"));
  CHECK(printed({"version"}) == std::string("troupe ") + troupe_version + "\n");
}

TEST_CASE("no line of a help text is wider than 100 columns") {
  for (const auto* command : {"train", "node", "certs", "ping"}) {
    const auto help = printed({command, "--help"});
    for (size_t at = 0; at < help.size();) {
      const auto end = help.find('\n', at);
      CHECK(end - at <= 100);
      at = end + 1;
    }
  }
}
