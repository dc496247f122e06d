#!/usr/bin/env bash
# Everything that takes a GPU, in one call of under 10 minutes: tests, CUDA's own checkers, figures, and PyTorch's beside
# them. Prints one table; the logs are in the folder that it names.
#   bench/gpu/verify.sh               builds into build/gpu, and runs
#   bench/gpu/verify.sh --pack DIR    builds, and puts into DIR what has to be carried to a machine with a GPU
#   DIR/verify.sh                     runs there: needs the driver, CUDA's libraries (PyTorch's will do), and no compiler
# Exit code: 0 all passed, 1 not, 4 there is no GPU.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly programs=(gpu_kernels_test gpu_driver_test gpu_lost_device_test bench_gpu)

build() {
  cd "$here/../.."
  # For any x86-64 with AVX2 and later: the machine that it is carried to is another one.
  cmake --preset cuda -B build/gpu -DTROUPE_TESTS=ON -DTROUPE_BENCH=ON -DTROUPE_APPS=OFF -DTROUPE_NATIVE=OFF >&2
  cmake --build build/gpu --parallel "$(nproc)" --target "${programs[@]}" >&2
}

# Copies the programs, and the libraries that they need beside CUDA's and those of every Linux, into folder $1.
pack() {
  mkdir -p "$1/bin" "$1/lib"
  local program
  for program in "${programs[@]}"; do
    cp "$(find build/gpu/tests build/gpu/bin -name "$program" -type f)" "$1/bin/"
    ldd "$1/bin/$program" | awk '$3 ~ /^\// { print $3 }' | grep -Ev '/lib(c|m|dl|rt|pthread|gcc_s|cuda|cublas|cublasLt)\.so' |
      xargs -r -I{} cp -L {} "$1/lib/"
  done
  cp bench/gpu/verify.sh bench/gpu/peers.py "$1/"
}

# The folders with CUDA's libraries: those of PyTorch's wheels, where the machine has no others.
cuda_libraries() {
  if [[ $(ldconfig -p 2>/dev/null) == *libcublasLt.so.13* ]]; then return; fi
  if [[ -e /usr/local/cuda/lib64/libcublasLt.so.13 ]]; then echo /usr/local/cuda/lib64; return; fi
  python3 -c 'import glob, sys
print(":".join(sorted({p.rsplit("/", 1)[0] for s in sys.path for p in glob.glob(s + "/nvidia/*/lib/libcublasLt.so.13")})))' 2>/dev/null || true
}

status=4
# step NAME SECONDS COMMAND…: runs it and adds a line to the table.
step() {
  local name=$1 limit=$2 code=0 result
  shift 2
  local begin=$SECONDS
  timeout -s KILL "$limit" "$@" >"$logs/${name// /_}.log" 2>&1 || code=$?
  case $code in
    0) result=passed ;;
    4) result='skipped: no GPU' ;;
    137) result="FAILED: still running after $limit s" ;;
    *) result="FAILED with exit code $code" ;;
  esac
  printf '%s\t%s\t%s\t\n' "$name" "$result" "$((SECONDS - begin)) s" >>"$table"
  if [[ $code == 0 && $status == 4 ]]; then status=0; fi
  if [[ $code != 0 && $code != 4 ]]; then status=1; fi
  return "$code"
}

# The same, whose output is lines of the table.
figures() {
  if step "$@"; then grep -P '\t' "$logs/${1// /_}.log" >>"$table"; fi
}

if [[ ${1:-} == --pack ]]; then
  [[ -n ${2:-} ]] || { echo 'verify.sh: --pack needs the folder to fill' >&2; exit 1; }
  mkdir -p "$2"
  target=$(cd "$2" && pwd)
  build
  pack "$target"
  echo "carry $target to a machine with a GPU, and run verify.sh there"
  exit 0
fi

logs=$(mktemp -d "${TMPDIR:-/tmp}/troupe-gpu-XXXXXX")
readonly logs table=$logs/table
if [[ ! -x $here/bin/gpu_kernels_test ]]; then
  build
  pack "$logs"
  bin=$logs/bin
else
  bin=$here/bin
fi
paths=$(cuda_libraries)
LD_LIBRARY_PATH="${paths:+$paths:}${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$bin/../lib"
export LD_LIBRARY_PATH

step 'kernels against their definitions' 120 "$bin/gpu_kernels_test" || true
step 'streams, buffers, callbacks' 60 "$bin/gpu_driver_test" || true
step 'a lost device' 30 "$bin/gpu_lost_device_test" || true
if [[ $status != 4 ]]; then # there is a GPU
  sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null || true)
  for tool in memcheck racecheck; do
    if [[ -n $sanitizer ]]; then
      step "compute-sanitizer $tool" 100 "$sanitizer" --tool "$tool" --error-exitcode 9 "$bin/gpu_kernels_test" \
        'each kernel computes what its definition says' -c 'n = 1000' || true
    else
      printf 'compute-sanitizer %s\tnot run: there is none on this machine\t\t\n' "$tool" >>"$table"
    fi
  done
  figures 'figures' 60 "$bin/bench_gpu" || true
  if python3 -c 'import torch' 2>/dev/null; then
    figures "figures of PyTorch" 90 python3 "$here/peers.py" || true
  else
    printf 'figures of PyTorch\tnot run: python3 has no torch\t\t\n' >>"$table"
  fi
fi
column -t -s $'\t' "$table"
while IFS=$'\t' read -r name result _; do
  if [[ $result == FAILED* ]]; then
    printf '\n%s:\n' "$name"
    tail -n 40 "$logs/${name// /_}.log"
  fi
done <"$table"
echo "logs: $logs"
exit "$status"
