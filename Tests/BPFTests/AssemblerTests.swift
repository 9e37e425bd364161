import Testing

@testable import BPF

struct AssemblerTests {
  @Test func `a rule that does not match is jumped over`() throws {
    var program = Assembler()
    let next = program.makeLabel()
    program.jump(if: .r9, .notEqual, 17, to: next)
    program.move(.r0, 2)
    program.place(next)
    program.exit()
    #expect(try program.finish().map(\.description) == ["if w9 != 17 goto +1", "r0 = 2", "exit"])
  }

  @Test func `a jump too far is an error, never a wrap`() {
    var program = Assembler()
    let end = program.makeLabel()
    program.jump(if: .r1, .equal, 0, to: end)
    for _ in 0..<32_768 { program.move(.r0, 0) }
    program.place(end)
    program.exit()
    do {
      _ = try program.finish()
      Issue.record("a distance of 32768 was accepted")
    } catch {
      #expect(error == .jumpTooFar(slot: 0, distance: 32_768))
    }
  }

  @Test func `an unconditional jump reaches any distance`() throws {
    var program = Assembler()
    let end = program.makeLabel()
    program.jump(to: end)
    let back = program.here()
    for _ in 0..<40_000 { program.move(.r0, 0) }
    program.exit()
    program.place(end)
    program.jump(to: back)
    let instructions = try program.finish()
    #expect(instructions.first?.description == "gotol +40001")
    #expect(instructions.last?.description == "gotol -40002")
  }

  @Test func `what nothing reaches is left out`() throws {
    var program = Assembler()
    let (end, other) = (program.makeLabel(), program.makeLabel())
    program.jump(if: .r1, .equal, 0, to: end)
    program.jump(to: end)
    program.load64(.r2, 1)
    program.place(other)
    program.jump(to: other)
    program.place(end)
    program.exit()
    #expect(try program.finish().map(\.description) == ["if w1 == 0 goto +1", "gotol +0", "exit"])
  }

  @Test func `a label that is never placed is an error`() {
    var program = Assembler()
    program.jump(to: program.makeLabel())
    do {
      _ = try program.finish()
      Issue.record("accepted")
    } catch {
      #expect(error == .unplacedLabel(slot: 0))
    }
  }

  static let encodings: [Encoding] = [
    Encoding("r1 = 5", [0xb7, 0x01, 0, 0, 5, 0, 0, 0]) { $0.move(.r1, 5) },
    Encoding("r6 = r1", [0xbf, 0x16, 0, 0, 0, 0, 0, 0]) { $0.move(.r6, .r1) },
    Encoding("w2 = w3", [0xbc, 0x32, 0, 0, 0, 0, 0, 0]) { $0.move32(.r2, .r3) },
    Encoding("w1 &= 65535", [0x54, 0x01, 0, 0, 0xff, 0xff, 0, 0]) { $0.calculate(.and, .r1, 0xffff) },
    Encoding("w1 += w2", [0x0c, 0x21, 0, 0, 0, 0, 0, 0]) { $0.calculate(.add, .r1, .r2) },
    Encoding("r2 += -8", [0x07, 0x02, 0, 0, 0xf8, 0xff, 0xff, 0xff]) { $0.calculate64(.add, .r2, -8) },
    Encoding("r1 = be16 r1", [0xdc, 0x01, 0, 0, 16, 0, 0, 0]) { $0.swapBigEndian(.r1, bits: 16) },
    Encoding("r1 = *(u32 *)(r6 +16)", [0x61, 0x61, 16, 0, 0, 0, 0, 0]) { $0.load(.word, .r1, from: .r6, 16) },
    Encoding("r1 = *(u16 *)(r10 -8)", [0x69, 0xa1, 0xf8, 0xff, 0, 0, 0, 0]) {
      $0.load(.halfword, .r1, from: .r10, -8)
    },
    Encoding("*(u8 *)(r10 -1) = r2", [0x73, 0x2a, 0xff, 0xff, 0, 0, 0, 0]) {
      $0.store(.byte, .r2, to: .r10, -1)
    },
    Encoding("*(u32 *)(r10 -4) = 7", [0x62, 0x0a, 0xfc, 0xff, 7, 0, 0, 0]) {
      $0.store(.word, value: 7, to: .r10, -4)
    },
    Encoding("lock *(u64 *)(r0 +8) += r1", [0xdb, 0x10, 8, 0, 0, 0, 0, 0]) {
      $0.atomicAdd64(.r1, to: .r0, 8)
    },
    Encoding("call 1", [0x85, 0, 0, 0, 1, 0, 0, 0]) { $0.call(.mapLookup) },
    Encoding("exit", [0x95, 0, 0, 0, 0, 0, 0, 0]) { $0.exit() },
  ]

  /// RFC 9669 §3: opcode, registers, offset, immediate, least significant byte first.
  @Test(arguments: encodings) func `an instruction is encoded and printed`(_ row: Encoding) throws {
    var program = Assembler()
    row.emit(&program)
    let instructions = try program.finish()
    let bytes = unsafe instructions.withUnsafeBytes { unsafe Array($0) }
    #expect(bytes == row.bytes, sourceLocation: row.line)
    #expect(instructions.first?.description == row.text, sourceLocation: row.line)
  }

  struct Encoding: Sendable, CustomTestStringConvertible {
    let text: String
    let bytes: [UInt8]
    let emit: @Sendable (inout Assembler) -> Void
    let line: SourceLocation
    init(
      _ text: String, _ bytes: [UInt8], line: SourceLocation = #_sourceLocation,
      emit: @escaping @Sendable (inout Assembler) -> Void
    ) {
      (self.text, self.bytes, self.emit, self.line) = (text, bytes, emit, line)
    }
    var testDescription: String { text }
  }
}
