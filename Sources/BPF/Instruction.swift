/// One eBPF instruction slot of eight bytes (RFC 9669 §3); a 64-bit load takes two slots.
package struct Instruction: Equatable, Sendable, BitwiseCopyable {
  package var opcode: UInt8
  /// Destination in the low four bits, source in the high four.
  package var registers: UInt8
  package var offset: Int16
  package var immediate: Int32

  package init(
    opcode: UInt8, destination: Register = .r0, source: Register = .r0, offset: Int16 = 0,
    immediate: Int32 = 0
  ) {
    self.opcode = opcode
    self.registers = destination.rawValue | source.rawValue << 4
    self.offset = offset
    self.immediate = immediate
  }
}

package enum Register: UInt8, Sendable, BitwiseCopyable {
  case r0, r1, r2, r3, r4, r5
  /// r6...r9 survive calls; r10 is the frame pointer, read-only.
  case r6, r7, r8, r9, r10
}

/// The width of a load or store.
package enum Width: UInt8, Sendable, BitwiseCopyable {
  case word = 0x00
  case halfword = 0x08
  case byte = 0x10
  case doubleword = 0x18

  package var bits: Int {
    switch self {
    case .byte: 8
    case .halfword: 16
    case .word: 32
    case .doubleword: 64
    }
  }
}

/// 32-bit comparisons (class JMP32, RFC 9669 §4.3); all unsigned.
package enum Comparison: UInt8, Sendable, BitwiseCopyable {
  case equal = 0x10
  case greater = 0x20
  case greaterOrEqual = 0x30
  case anyBitSet = 0x40
  case notEqual = 0x50
  case less = 0xa0
  case lessOrEqual = 0xb0

  fileprivate var symbol: String {
    switch self {
    case .equal: "=="
    case .greater: ">"
    case .greaterOrEqual: ">="
    case .anyBitSet: "&"
    case .notEqual: "!="
    case .less: "<"
    case .lessOrEqual: "<="
    }
  }
}

package enum Arithmetic: UInt8, Sendable, BitwiseCopyable {
  case add = 0x00
  case subtract = 0x10
  case multiply = 0x20
  case or = 0x40
  case and = 0x50
  case shiftLeft = 0x60
  case shiftRight = 0x70
  case xor = 0xa0
  case move = 0xb0

  fileprivate var symbol: String {
    switch self {
    case .add: "+="
    case .subtract: "-="
    case .multiply: "*="
    case .or: "|="
    case .and: "&="
    case .shiftLeft: "<<="
    case .shiftRight: ">>="
    case .xor: "^="
    case .move: "="
    }
  }
}

extension Instruction: CustomStringConvertible {
  private var destination: UInt8 { registers & 15 }
  private var source: UInt8 { registers >> 4 }
  private var signedOffset: String { offset < 0 ? "-\(-Int(offset))" : "+\(offset)" }

  /// As the verifier's log and bpftool print it, so that the three can be laid side by side.
  package var description: String {
    let instructionClass = opcode & 7
    let fromRegister = opcode & 8 != 0
    switch instructionClass {
    case 0x00 where opcode == 0x18: return "r\(destination) = \(immediate) ll"
    case 0x01: return "r\(destination) = *(u\(width) *)(r\(source) \(signedOffset))"
    case 0x02: return "*(u\(width) *)(r\(destination) \(signedOffset)) = \(immediate)"
    case 0x03 where opcode & 0xe0 == 0xc0 && immediate & 0xf0 == 0xf0:
      return
        "r0 = atomic_cmpxchg((u\(width) *)(r\(destination) \(signedOffset)), r0, r\(source))"
    case 0x03 where opcode & 0xe0 == 0xc0 && immediate & 0xf0 == 0xe0:
      return
        "r\(source) = atomic_xchg((u\(width) *)(r\(destination) \(signedOffset)), r\(source))"
    case 0x03 where opcode & 0xe0 == 0xc0:
      return "lock *(u\(width) *)(r\(destination) \(signedOffset)) += r\(source)"
    case 0x03: return "*(u\(width) *)(r\(destination) \(signedOffset)) = r\(source)"
    case 0x04, 0x07:
      let prefix = instructionClass == 0x04 ? "w" : "r"
      if opcode & 0xf0 == 0xd0 { return "r\(destination) = be\(immediate) r\(destination)" }
      guard let operation = Arithmetic(rawValue: opcode & 0xf0) else { break }
      let operand = fromRegister ? "\(prefix)\(source)" : "\(immediate)"
      return "\(prefix)\(destination) \(operation.symbol) \(operand)"
    case 0x05, 0x06:
      switch opcode & 0xf0 {
      case 0x00:
        return instructionClass == 0x05
          ? "goto \(signedOffset)" : "gotol \(immediate < 0 ? "" : "+")\(immediate)"
      case 0x80: return "call \(immediate)"
      case 0x90: return "exit"
      default:
        guard let comparison = Comparison(rawValue: opcode & 0xf0) else { break }
        let prefix = instructionClass == 0x05 ? "r" : "w"
        let operand =
          fromRegister
          ? "\(prefix)\(source)"
          : comparison == .anyBitSet
            ? "0x\(String(UInt32(bitPattern: immediate), radix: 16))" : "\(immediate)"
        return "if \(prefix)\(destination) \(comparison.symbol) \(operand) goto \(signedOffset)"
      }
    default: break
    }
    return "(\(opcode)) r\(destination), r\(source), \(offset), \(immediate)"
  }

  private var width: Int { Width(rawValue: opcode & 0x18)?.bits ?? 0 }
}
