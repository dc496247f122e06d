#include <caf/exit_reason.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "supervision/exit_reason.hpp"

using namespace troupe;

namespace {

/// Errors hold messages, and CAF looks their types up.
[[maybe_unused]] const bool types_are_known = [] {
  caf::core::init_global_meta_objects();
  return true;
}();

} // namespace

TEST_CASE("CAF's exit reasons are told apart as the contract names them") {
  CHECK(cause_of({}).kind == exit_kind::normal);
  CHECK(cause_of(caf::exit_reason::user_shutdown).kind == exit_kind::shutdown);
  CHECK(cause_of(caf::exit_reason::kill).kind == exit_kind::kill);
  CHECK(cause_of(caf::exit_reason::remote_link_unreachable).kind == exit_kind::connection_lost);
  CHECK(cause_of(caf::sec::connection_timeout).kind == exit_kind::connection_lost);
  CHECK(cause_of(caf::sec::request_timeout).kind == exit_kind::error);
  CHECK(cause_of(caf::exit_reason::unknown).kind == exit_kind::error);
  CHECK(cause_of(caf::make_error(caf::sec::invalid_argument, std::string{"bad batch"})) ==
        exit_cause{exit_kind::error, {"bad batch"}});
  CHECK(cause_of(caf::make_error(caf::sec::runtime_error, std::string{"std.bad_alloc"}, std::string{"no memory"})) ==
        exit_cause{exit_kind::exception, {"std.bad_alloc: no memory"}});
}

TEST_CASE("a cause survives the way through CAF whole") {
  auto kind = GENERATE(exit_kind::normal, exit_kind::shutdown, exit_kind::error, exit_kind::exception, exit_kind::kill,
                       exit_kind::connection_lost, exit_kind::escalated, exit_kind::stuck);
  exit_cause cause{kind, {"supervisor a gave up: …", "b #3 ended (error)", "bad batch"}};
  CHECK(cause_of(reason_of(cause)) == cause);
}

TEST_CASE("clean ends without a story use CAF's own reasons") {
  CHECK_FALSE(reason_of(exit_cause{}));
  CHECK(reason_of(exit_cause{exit_kind::shutdown, {}}) == caf::exit_reason::user_shutdown);
  CHECK(reason_of(exit_cause{exit_kind::kill, {}}) == caf::exit_reason::kill);
}

TEST_CASE("an actor's failure reaches its supervisor as an error with its sentence, on one line") {
  CHECK(cause_of(reason_of(failure{"cannot read x:\nit is empty"})) ==
        exit_cause{exit_kind::error, {"cannot read x: it is empty"}});
}
