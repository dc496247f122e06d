// A process that is a standby, from when it listens to the end of the job.

#include <caf/scoped_actor.hpp>
#include <future>
#include <mutex>
#include <variant>

#include "actors/job.hpp"
#include "actors/runtime.hpp"
#include "actors/serving.hpp"
#include "actors/standby.hpp"
#include "learn/checkpoint/checkpoint.hpp"

namespace troupe {
namespace {

struct stopped {};

/// What a standby waits for: the first of these that comes.
class fate {
public:
  using what = std::variant<stopped, std::string, takeover>;

  void is(what w) {
    std::call_once(once_, [&] { promise_.set_value(std::move(w)); });
  }
  what wait() { return promise_.get_future().get(); }

private:
  std::once_flag once_;
  std::promise<what> promise_;
};

/// The same, called by one thread at a time.
standby_observer in_turn(const standby_observer& to) {
  auto turn = std::make_shared<std::mutex>();
  auto guarded = [turn](auto f) {
    return f ? decltype(f){[turn, f](const auto&... xs) {
      auto guard = std::lock_guard{*turn};
      f(xs...);
    }}
             : f;
  };
  return {guarded(to.on_ready),
          guarded(to.on_note),
          guarded(to.on_lead),
          {guarded(to.job.on_step), guarded(to.job.on_epoch), guarded(to.job.on_note), to.job.on_event}};
}

expected<standby_end> lead_on(runtime& rt, const standby_options& options, const standby_observer& observer,
                              takeover what, const std::stop_token& stop) {
  what.job.checkpoint = options.checkpoint;
  what.job.ledger = options.ledger;
  what.job.export_to = options.export_to;
  what.job.certs = options.certs;
  if (observer.on_lead)
    observer.on_lead(what.job, what.from.state->version.value);
  auto run = data_parallel::prepare(rt, what.job, observer.job, 0, what.from);
  if (!run)
    return tl::unexpected(run.error());
  (*run)->lead_by(what.claim, nullptr);
  auto report = (*run)->run((*run)->tree(), stop, reports_to(observer.job));
  if (!report)
    return tl::unexpected(report.error());
  return standby_end{{}, std::move(*report)};
}

} // namespace

expected<standby_end> run_standby(const standby_options& options, const standby_observer& to,
                                  const std::stop_token& stop) {
  const auto observer = in_turn(to);
  if (auto may = may_listen("standby", options.host, options.certs, options.insecure); !may)
    return tl::unexpected(may.error());
  if (!options.checkpoint.empty() && learn::has_checkpoint(options.checkpoint))
    return fail(fmt::format("{} holds checkpoints already: name another folder for those of the job that this process "
                            "may come to lead",
                            options.checkpoint));
  auto identity = identity_in(options.certs);
  if (!identity)
    return tl::unexpected(identity.error());
  auto rt = runtime{{.network = true, .link = {.identity = *identity, .on_line = observer.on_note}}};
  auto comes = std::make_shared<fate>();
  auto actor = rt.system().spawn<standby, caf::detached>(standby::config{
    [comes](takeover t) { comes->is(std::move(t)); }, [comes](const std::string& how) { comes->is(how); },
    [note = observer.on_note](const std::string& sentence) {
      if (note)
        note(sentence);
    }});
  auto port = publish(rt.system(), actor, options.host, options.port);
  if (!port)
    return tl::unexpected(port.error());
  if (observer.on_ready)
    observer.on_ready(*port);
  auto on_stop = std::stop_callback{stop, [comes] { comes->is(stopped{}); }};
  auto what = comes->wait();
  auto end = expected<standby_end>{};
  if (auto* how = std::get_if<std::string>(&what))
    end->job_ended = *how;
  else if (auto* won = std::get_if<takeover>(&what))
    end = lead_on(rt, options, observer, std::move(*won), stop);
  troupe::anon_send(actor, leave_run{}); // gives up what it holds
  caf::scoped_actor {
    rt.system()
    } -> wait_for(actor);
  return end;
}

} // namespace troupe
