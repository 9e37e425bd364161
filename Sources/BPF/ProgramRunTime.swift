import Glibc
package import Kernel

/// What the kernel counts of a program's runs, while some process asks for that.
package struct ProgramRunTime: Sendable {
  package let nanoseconds: UInt64
  package let runs: UInt64

  /// Asks the kernel to count (BPF_ENABLE_STATS), until the descriptor is closed.
  package static func enable() throws(SystemError) -> Descriptor {
    var attributes = BPFAttributes()
    attributes.store(UInt32(0), at: 0)
    let number = attributes.call(.enableStatistics)
    guard number >= 0 else { throw SystemError("count the run time of programs") }
    return Descriptor(owning: number)
  }
}

extension Program {
  /// Since the program was loaded (struct bpf_prog_info: run_time_ns, run_cnt).
  package var runTime: ProgramRunTime? {
    var words = [UInt64](repeating: 0, count: 28)
    var attributes = BPFAttributes()
    attributes.store(UInt32(bitPattern: descriptor.number), at: 0)
    attributes.store(UInt32(words.count * 8), at: 4)
    let result = unsafe words.withUnsafeMutableBytes { bytes in
      unsafe attributes.storeAddress(UnsafeRawPointer(bytes.baseAddress), at: 8)
      return attributes.call(.objectInfo)
    }
    return result == 0 ? ProgramRunTime(nanoseconds: words[24], runs: words[25]) : nil
  }
}
