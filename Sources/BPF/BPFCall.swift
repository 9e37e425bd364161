import CSystem
import Glibc
import Kernel

/// bpf(2) commands that this project uses.
enum BPFCommand: CInt {
  case mapCreate = 0
  case mapLookup = 1
  case mapUpdate = 2
  case mapDelete = 3
  case mapGetNextKey = 4
  case programLoad = 5
  case objectPin = 6
  case objectGet = 7
  case programTestRun = 10
  case objectInfo = 15
  case programQuery = 16
  case typesLoad = 18
  case enableStatistics = 32
  case mapFreeze = 22
  case linkCreate = 28
  case linkUpdate = 29
}

/// The kernel's `union bpf_attr` as bytes: fields are stored at their offsets in host byte order, all else is
/// zero, as bpf(2) asks.
struct BPFAttributes {
  private var bytes: InlineArray<19, UInt64> = .init(repeating: 0)

  mutating func store<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    raw.storeBytes(of: value, toByteOffset: offset, as: Value.self)
  }

  func load(at offset: Int) -> UInt32 {
    let span = bytes.span
    return unsafe span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
  }

  mutating func storeAddress(_ pointer: UnsafeRawPointer?, at offset: Int) {
    store(UInt64(UInt(bitPattern: pointer)), at: offset)
  }

  mutating func call(_ command: BPFCommand) -> CInt {
    var span = bytes.mutableSpan
    return unsafe span.withUnsafeMutableBytes { buffer in
      unsafe csystem_bpf(command.rawValue, buffer.baseAddress, UInt32(buffer.count))
    }
  }
}

/// What to try when bpf(2) failed: found out after the failure, so that success pays for no probe.
func bpfAdvice(_ code: CInt) -> String? {
  switch code {
  case EPERM:
    geteuid() == 0
      ? "the kernel forbids BPF here (lockdown, a container without CAP_BPF?)"
      : "run it as root, or give it CAP_BPF and CAP_NET_ADMIN"
  case ENOSYS: "this kernel was built without CONFIG_BPF_SYSCALL"
  default: nil
  }
}
