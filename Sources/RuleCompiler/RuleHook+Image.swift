import BPF
import Firewall

/// Reading the rule image: r8 is its address, r9 the mask of an index into its words, a constant of the image's size.
extension RuleHook {
  /// index becomes the address of the word that it counts.
  mutating func address(of index: Register, _ mask: Register = .r9, _ image: Register = .r8) {
    assembler.calculate(.and, index, mask)
    assembler.calculate64(.shiftLeft, index, 3)
    assembler.calculate64(.add, index, image)
  }

  /// index becomes the word that it counts.
  mutating func loadWord(_ index: Register) {
    address(of: index)
    assembler.load(.doubleword, index, from: index, 0)
  }

  /// index becomes the half that it counts; changes another register.
  mutating func loadHalf(_ index: Register, changing other: Register) {
    assembler.move32(other, .r9)
    assembler.calculate(.shiftLeft, other, 1)
    assembler.calculate(.or, other, 1)
    assembler.calculate(.and, index, other)
    assembler.calculate64(.shiftLeft, index, 2)
    assembler.calculate64(.add, index, .r8)
    assembler.load(.word, index, from: index, 0)
  }

  /// r2 = the number of the lowest bit of r1, which loses it; changes r3.
  mutating func takeLowestBit() {
    assembler.move(.r2, 0)
    assembler.calculate64(.subtract, .r2, .r1)
    assembler.calculate64(.and, .r2, .r1)
    assembler.load64(.r3, ImageLayout.bitMultiplier)
    assembler.calculate64(.multiply, .r2, .r3)
    assembler.calculate64(.shiftRight, .r2, 58)
    assembler.calculate64(.add, .r2, .r8)
    assembler.load(.byte, .r2, from: .r2, ImageLayout.Block.bitNumbers * 8)
    assembler.move(.r3, .r1)
    assembler.calculate64(.add, .r3, -1)
    assembler.calculate64(.and, .r1, .r3)
  }

  /// value becomes the count of its bits; changes the others.
  mutating func countBits(_ value: Register, _ first: Register, _ second: Register) {
    assembler.move(first, value)
    assembler.calculate64(.shiftRight, first, 1)
    assembler.load64(second, 0x5555_5555_5555_5555)
    assembler.calculate64(.and, first, second)
    assembler.calculate64(.subtract, value, first)
    assembler.load64(second, 0x3333_3333_3333_3333)
    assembler.move(first, value)
    assembler.calculate64(.and, first, second)
    assembler.calculate64(.shiftRight, value, 2)
    assembler.calculate64(.and, value, second)
    assembler.calculate64(.add, value, first)
    assembler.move(first, value)
    assembler.calculate64(.shiftRight, first, 4)
    assembler.calculate64(.add, value, first)
    assembler.load64(second, 0x0f0f_0f0f_0f0f_0f0f)
    assembler.calculate64(.and, value, second)
    assembler.load64(second, 0x0101_0101_0101_0101)
    assembler.calculate64(.multiply, value, second)
    assembler.calculate64(.shiftRight, value, 56)
  }

  /// Registers of the main program, in a function whose argument is the address of ``Frame``.
  mutating func takeFrame(_ frame: Register, context: Bool = false) {
    if context { assembler.load(.doubleword, .r6, from: frame, Frame.context) }
    assembler.load(.doubleword, .r7, from: frame, Frame.variables)
    assembler.load(.doubleword, .r8, from: frame, Frame.image)
    assembler.load(.doubleword, .r9, from: frame, Frame.mask)
  }

  /// Finds the image in force: r8 and r9, and ``Frame`` below r10. Without one the packet is not judged.
  mutating func findImage(_ maps: borrowing HookMaps) {
    assembler.store(.word, value: 0, to: .r10, -4)
    assembler.lookUp(maps.images, key: -4, of: .r10)
    assembler.jump64(if: .r0, .equal, 0, to: letGo)
    assembler.move(.r1, .r0)
    assembler.move(.r2, .r10)
    assembler.calculate64(.add, .r2, -4)
    assembler.call(.mapLookup)
    assembler.jump64(if: .r0, .equal, 0, to: letGo)
    assembler.move(.r8, .r0)
    assembler.move32(.r9, UInt32(maps.imageSize.words - 1))
    for (register, place) in [
      (Register.r6, Frame.context), (.r7, Frame.variables), (.r8, Frame.image), (.r9, Frame.mask),
    ] {
      assembler.store(.doubleword, register, to: .r10, Self.frame + place)
    }
  }

  /// Where ``Frame`` is, from the end of the main program's stack.
  static var frame: Int { -8 - Frame.size }
}
