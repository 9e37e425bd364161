import BPF
import Firewall

/// Functions that find the class of the longest prefix that holds a value, by a binary search over lengths; see
/// `PrefixTree`.
extension RuleHook {
  /// So many lengths there are: 32 and 128.
  private static var levels32: Int { 6 }
  private static var levels128: Int { 8 }

  /// r0 = class; r1 is the image, r2 its mask, r3 the place of a record, r4 the value.
  mutating func function32() {
    let done = assembler.makeLabel()
    assembler.place(longest32)
    assembler.move(.r8, .r1)
    assembler.move32(.r9, .r2)
    assembler.move32(.r2, .r4)
    address(of: .r3)
    assembler.load(.word, .r0, from: .r3, ImageLayout.Prefixes.first32 * 8)
    assembler.load(.word, .r3, from: .r3, ImageLayout.Prefixes.first32 * 8 + 4)
    for _ in 0..<Self.levels32 {
      let (miss, hit, next) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
      assembler.jump(if: .r3, .equal, 0, to: done)
      address(of: .r3)
      assembler.move(.r4, .r3)
      assembler.load(.word, .r1, from: .r4, ImageLayout.Node.mask32 * 8)
      assembler.calculate(.and, .r1, .r2)
      assembler.load(.word, .r5, from: .r4, ImageLayout.Node.hash32 * 8 + 4)
      assembler.calculate(.multiply, .r5, .r1)
      assembler.load(.word, .r3, from: .r4, ImageLayout.Node.hash32 * 8)
      assembler.calculate(.shiftRight, .r5, .r3)
      assembler.load(.word, .r3, from: .r4, ImageLayout.Node.mask32 * 8 + 4)
      assembler.calculate(.add, .r3, .r5)
      address(of: .r3)
      for probe in 0..<ImageLayout.Entry.probes {
        let other = assembler.makeLabel()
        assembler.load(.doubleword, .r5, from: .r3, probe * 8)
        assembler.jump64(if: .r5, .equal, 0, to: miss)
        assembler.jump(if: .r5, .notEqual, .r1, to: other)
        assembler.calculate64(.shiftRight, .r5, 32)
        assembler.jump(to: hit)
        assembler.place(other)
      }
      assembler.place(miss)
      assembler.load(.word, .r3, from: .r4, ImageLayout.Node.next32 * 8 + 4)
      assembler.jump(to: next)
      assembler.place(hit)
      assembler.move32(.r0, .r5)
      assembler.calculate(.and, .r0, ~ImageLayout.Entry.hasLonger)
      assembler.jump(if: .r0, .equal, .r5, to: done)
      assembler.load(.word, .r3, from: .r4, ImageLayout.Node.next32 * 8)
      assembler.place(next)
    }
    assembler.place(done)
    assembler.exit()
  }

  /// The same for 128 bits: r4 is the address of the value, the upper half first.
  mutating func function128() {
    let done = assembler.makeLabel()
    let place = -8
    assembler.place(longest128)
    assembler.move(.r8, .r1)
    assembler.move32(.r9, .r2)
    assembler.load(.doubleword, .r6, from: .r4, 0)
    assembler.load(.doubleword, .r7, from: .r4, 8)
    address(of: .r3)
    assembler.load(.word, .r0, from: .r3, ImageLayout.Prefixes.first128 * 8)
    assembler.store(.doubleword, .r0, to: .r10, place)
    assembler.load(.word, .r3, from: .r3, ImageLayout.Prefixes.first128 * 8 + 4)
    for _ in 0..<Self.levels128 {
      let (miss, hit, next) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
      assembler.jump(if: .r3, .equal, 0, to: done)
      address(of: .r3)
      assembler.move(.r5, .r3)
      assembler.load(.doubleword, .r1, from: .r5, ImageLayout.Node.mask128 * 8)
      assembler.calculate64(.and, .r1, .r6)
      assembler.load(.doubleword, .r2, from: .r5, ImageLayout.Node.mask128 * 8 + 8)
      assembler.calculate64(.and, .r2, .r7)
      assembler.load64(.r3, ImageLayout.multiplierHigh)
      assembler.calculate64(.multiply, .r3, .r1)
      assembler.load64(.r4, ImageLayout.multiplierLow)
      assembler.calculate64(.multiply, .r4, .r2)
      assembler.calculate64(.xor, .r3, .r4)
      assembler.move(.r4, .r3)
      assembler.calculate64(.shiftRight, .r4, 32)
      assembler.calculate64(.xor, .r3, .r4)
      assembler.load64(.r4, ImageLayout.multiplierHigh)
      assembler.calculate64(.multiply, .r3, .r4)
      assembler.load(.word, .r4, from: .r5, ImageLayout.Node.hash128 * 8)
      assembler.calculate64(.shiftRight, .r3, .r4)
      assembler.calculate(.multiply, .r3, UInt32(ImageLayout.Entry.size128))
      assembler.load(.word, .r4, from: .r5, ImageLayout.Node.hash128 * 8 + 4)
      assembler.calculate(.add, .r3, .r4)
      address(of: .r3)
      for probe in 0..<ImageLayout.Entry.probes {
        let other = assembler.makeLabel()
        let entry = probe * ImageLayout.Entry.size128 * 8
        assembler.load(.word, .r4, from: .r3, entry + 16)
        assembler.jump(if: .r4, .equal, 0, to: miss)
        assembler.load(.doubleword, .r0, from: .r3, entry)
        assembler.jump64(if: .r0, .notEqual, .r1, to: other)
        assembler.load(.doubleword, .r0, from: .r3, entry + 8)
        assembler.jump64(if: .r0, .equal, .r2, to: hit)
        assembler.place(other)
      }
      assembler.place(miss)
      assembler.load(.word, .r3, from: .r5, ImageLayout.Node.next128 * 8 + 4)
      assembler.jump(to: next)
      assembler.place(hit)
      assembler.move32(.r0, .r4)
      assembler.calculate(.and, .r0, ~ImageLayout.Entry.hasLonger)
      assembler.store(.doubleword, .r0, to: .r10, place)
      assembler.jump(if: .r0, .equal, .r4, to: done)
      assembler.load(.word, .r3, from: .r5, ImageLayout.Node.next128 * 8)
      assembler.place(next)
    }
    assembler.place(done)
    assembler.load(.doubleword, .r0, from: .r10, place)
    assembler.exit()
  }
}
