import Glibc
import Kernel

/// The types of a program's functions (BTF), without which the kernel takes no address of a function.
///
/// All are static and of one type, `int ()`: the kernel finds out by itself what they are called with.
@safe final class FunctionTypes {
  private let types: Descriptor
  /// Records of eight bytes: the function's first instruction, and its type.
  private let records: UnsafeMutableBufferPointer<UInt32>

  /// nil for a program that takes no address of a function.
  init?(_ instructions: [Instruction]) throws(ProgramError) {
    guard instructions.contains(where: { $0.opcode == 0x18 && $0.registers >> 4 == 4 }) else { return nil }
    var starts: Set<Int> = [0]
    var slot = 0
    while slot < instructions.count {
      let instruction = instructions[slot]
      let isCall = instruction.opcode == 0x85 && instruction.registers >> 4 == 1
      let isAddress = instruction.opcode == 0x18 && instruction.registers >> 4 == 4
      if isCall || isAddress { starts.insert(slot + Int(instruction.immediate) + 1) }
      slot += instruction.opcode == 0x18 ? 2 : 1
    }
    do throws(SystemError) { types = try Self.load() } catch {
      throw ProgramError(cause: error, log: "", instructionCount: instructions.count)
    }
    let words = starts.sorted().flatMap { [UInt32($0), Self.functionType] }
    unsafe records = .allocate(capacity: words.count)
    _ = unsafe records.initialize(from: words)
  }

  deinit { unsafe records.deallocate() }

  private static let functionType: UInt32 = 3

  /// In an attribute of BPF_PROG_LOAD: prog_btf_fd, func_info_rec_size, func_info, func_info_cnt.
  func store(in attributes: inout BPFAttributes) {
    attributes.store(UInt32(bitPattern: types.number), at: 72)
    attributes.store(UInt32(8), at: 76)
    unsafe attributes.storeAddress(UnsafeRawPointer(records.baseAddress), at: 80)
    attributes.store(UInt32(unsafe records.count / 2), at: 88)
  }

  /// Documentation/bpf/btf.rst: a header, types, strings.
  private static func load() throws(SystemError) -> Descriptor {
    let strings = Array("\0int\0f\0".utf8)
    let words: [UInt32] = [
      // int: name, kind 1, four bytes; signed, 32 bits
      1, 1 << 24, 4, 1 << 24 | 32,
      // a function type without parameters (kind 13) that returns type 1
      0, 13 << 24, 1,
      // a static function (kind 12) of type 2
      5, 12 << 24, 2,
    ]
    let header: [UInt32] = [
      0x0001_eb9f, 24, 0, UInt32(words.count * 4), UInt32(words.count * 4), UInt32(strings.count),
    ]
    let bytes =
      (header + words).flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
      + strings
    var attributes = BPFAttributes()
    attributes.store(UInt32(bytes.count), at: 16)
    let number = unsafe bytes.withUnsafeBytes { bytes in
      unsafe attributes.storeAddress(bytes.baseAddress, at: 0)
      return attributes.call(.typesLoad)
    }
    guard number >= 0 else {
      let code = errno
      throw SystemError("describe the hooks' functions to the kernel", code: code, advice: bpfAdvice(code))
    }
    return Descriptor(owning: number)
  }
}
