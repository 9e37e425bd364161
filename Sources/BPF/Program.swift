import Glibc
package import Kernel

/// A program that the kernel's verifier has accepted (type sched_cls: it sees packets on an interface).
package struct Program: ~Copyable, Sendable {
  package let descriptor: Descriptor

  /// Loads without a log, and only if that failed again with one, to say why.
  package init(_ name: String, _ instructions: [Instruction]) throws(ProgramError) {
    // Neighbour redirection, clocks and other helpers are for GPL-compatible programs only.
    let license: StaticString = "GPL"
    let functions = try FunctionTypes(instructions)
    var log: [UInt8] = []
    while true {
      var attributes = BPFAttributes()
      attributes.store(UInt32(3), at: 0)
      attributes.store(UInt32(instructions.count), at: 4)
      unsafe attributes.storeAddress(license.utf8Start, at: 16)
      for (index, byte) in name.utf8.prefix(15).enumerated() { attributes.store(byte, at: 48 + index) }
      functions?.store(in: &attributes)
      let number = unsafe instructions.withUnsafeBytes { code in
        unsafe attributes.storeAddress(code.baseAddress, at: 8)
        return unsafe log.withUnsafeMutableBytes { buffer in
          if buffer.count > 0 {
            attributes.store(UInt32(1), at: 24)
            attributes.store(UInt32(buffer.count), at: 28)
            unsafe attributes.storeAddress(UnsafeRawPointer(buffer.baseAddress), at: 32)
          }
          return attributes.call(.programLoad)
        }
      }
      let code = errno
      if number >= 0 {
        descriptor = Descriptor(owning: number)
        return
      }
      if code == EAGAIN { continue }
      if log.isEmpty && code != EPERM {
        log = [UInt8](repeating: 0, count: 1 << 16)
      } else if code == ENOSPC && log.count < 1 << 24 {
        log = [UInt8](repeating: 0, count: log.count * 8)
      } else {
        throw ProgramError(
          cause: SystemError("load the hook program \(name)", code: code, advice: bpfAdvice(code)),
          log: String(decoding: log.prefix { $0 != 0 }, as: UTF8.self),
          instructionCount: instructions.count)
      }
    }
  }

  /// Runs the program once on a frame, without any device (BPF_PROG_TEST_RUN).
  ///
  /// - Parameters:
  ///   - frame: an Ethernet frame, 14...4000 bytes.
  ///   - context: the program's `__sk_buff`, 192 bytes, of which the kernel takes mark, priority,
  ///     ingress_ifindex, ifindex, cb, tstamp, wire_len, gso_segs and gso_size.
  /// - Returns: what the program returned, the frame and the context as it left them.
  package func testRun(frame: [UInt8], context: [UInt8]) throws(SystemError) -> (
    result: UInt32, frame: [UInt8], context: [UInt8]
  ) {
    var output = [UInt8](repeating: 0, count: frame.count + 256)
    var contextOutput = [UInt8](repeating: 0, count: context.count)
    var attributes = BPFAttributes()
    attributes.store(UInt32(bitPattern: descriptor.number), at: 0)
    attributes.store(UInt32(frame.count), at: 8)
    attributes.store(UInt32(output.count), at: 12)
    attributes.store(UInt32(1), at: 32)
    attributes.store(UInt32(context.count), at: 40)
    attributes.store(UInt32(contextOutput.count), at: 44)
    let status = unsafe frame.withUnsafeBytes { frame in
      unsafe context.withUnsafeBytes { context in
        unsafe output.withUnsafeMutableBytes { output in
          unsafe contextOutput.withUnsafeMutableBytes { contextOutput in
            unsafe attributes.storeAddress(frame.baseAddress, at: 16)
            unsafe attributes.storeAddress(UnsafeRawPointer(output.baseAddress), at: 24)
            unsafe attributes.storeAddress(context.baseAddress, at: 48)
            unsafe attributes.storeAddress(UnsafeRawPointer(contextOutput.baseAddress), at: 56)
            return attributes.call(.programTestRun)
          }
        }
      }
    }
    guard status == 0 else { throw SystemError("test-run a hook program") }
    return (attributes.load(at: 4), Array(output.prefix(Int(attributes.load(at: 12)))), contextOutput)
  }
}

/// The verifier refused a program: one line for people, the whole log for us.
package struct ProgramError: Error, CustomStringConvertible {
  package let cause: SystemError
  package let log: String
  package let instructionCount: Int

  /// The verifier gave up; nothing else is wrong with the program.
  package var isTooLarge: Bool {
    cause.code == E2BIG || log.contains("BPF program is too large") || log.contains("jumps is too complex")
  }

  package var description: String {
    let lines = log.split(separator: "\n")
    // The last line that says something is the one before the verifier's statistics.
    guard let telling = lines.last(where: { !$0.hasPrefix("processed ") }) else { return cause.description }
    return "\(cause) (\(instructionCount) instructions): \(telling) [\(lines.count - 1) lines omitted]"
  }
}
