// The peer of bench/push_pull.cpp: ps-lite with its zmq transport. Each worker pushes BYTES as keys of 1 MiB and pulls
// the sums; servers add in place and answer from where the sums lie. Roles come from ps-lite's environment variables.
//
//   push_pull_pslite BYTES

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "ps/ps.h"

namespace {

constexpr int key_floats = 256 * 1024;
constexpr int rounds = 20;
constexpr int repetitions = 5;

std::unordered_map<ps::Key, ps::SArray<float>> store;

void handle(const ps::KVMeta& meta, const ps::KVPairs<float>& data, ps::KVServer<float>* server) {
  if (meta.push) {
    size_t at = 0;
    for (size_t i = 0; i < data.keys.size(); ++i) {
      auto& sum = store[data.keys[i]];
      size_t n = data.lens[i];
      if (sum.size() != n)
        sum.resize(n, 0);
      float* to = sum.data();
      const float* from = data.vals.data() + at;
      for (size_t k = 0; k < n; ++k)
        to[k] += from[k];
      at += n;
    }
    return server->Response(meta);
  }
  ps::KVPairs<float> answer;
  answer.keys = data.keys;
  for (auto key : data.keys)
    answer.lens.push_back(static_cast<int>(store[key].size()));
  answer.vals = store[data.keys[0]]; // one key a request: no copy
  server->Response(meta, answer);
}

void work(size_t bytes) {
  ps::KVWorker<float> worker(0, 0);
  auto& ranges = ps::Postoffice::Get()->GetServerKeyRanges();
  size_t blocks = bytes / sizeof(float) / key_floats;
  std::vector<ps::SArray<ps::Key>> keys(blocks);
  std::vector<ps::SArray<int>> lens(blocks);
  std::vector<ps::SArray<float>> values(blocks), sums(blocks);
  for (size_t b = 0; b < blocks; ++b) {
    keys[b] = {ranges[b % ranges.size()].begin() + b};
    lens[b] = {key_floats};
    values[b].resize(key_floats, 1.0f);
    sums[b].resize(key_floats, 0.0f);
  }
  auto round = [&] {
    std::vector<int> open(blocks);
    for (size_t b = 0; b < blocks; ++b)
      open[b] = worker.ZPush(keys[b], values[b], lens[b]);
    for (size_t b = 0; b < blocks; ++b) {
      worker.Wait(open[b]);
      open[b] = worker.ZPull(keys[b], &sums[b], &lens[b]);
    }
    for (int request : open)
      worker.Wait(request);
  };
  for (int i = 0; i < 3; ++i)
    round();
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    ps::Postoffice::Get()->Barrier(0, ps::kWorkerGroup);
    auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < rounds; ++i)
      round();
    ps::Postoffice::Get()->Barrier(0, ps::kWorkerGroup);
    double us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count() / rounds;
    double counted = 2.0 * ps::NumWorkers() * blocks * key_floats * sizeof(float);
    if (ps::MyRank() == 0) {
      std::printf("{\"impl\":\"ps-lite\",\"bytes\":%.0f,\"us\":%.2f,\"GBps\":%.4f}\n", counted, us, counted / us / 1e3);
      std::fflush(stdout);
    }
  }
}

} // namespace

int main(int, char** argv) {
  ps::Start(0);
  ps::KVServer<float>* server = nullptr;
  if (ps::IsServer()) {
    server = new ps::KVServer<float>(0);
    server->set_request_handle(handle);
  }
  if (ps::IsWorker())
    work(std::strtoull(argv[1], nullptr, 10));
  ps::Finalize(0, true);
  delete server;
  return 0;
}
