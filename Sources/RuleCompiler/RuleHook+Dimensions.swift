import BPF
import Firewall

/// The function that finds a packet's class in each dimension of a section, and what all of them have in common.
///
/// Its argument is the address of ``Frame``. Registers: r6 the dimensions there are, r7 to r9 as everywhere.
extension RuleHook {
  mutating func functionFind() {
    let (done, found) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.place(find)
    assembler.store(.doubleword, .r1, to: .r10, Self.ownFrame)
    takeFrame(.r1)
    assembler.load(.word, .r6, from: .r7, Variable.dimensions)
    assembler.load(.word, .r1, from: .r7, Variable.combinations)
    assembler.store(.word, .r1, to: .r7, Variable.combination)
    assembler.store(.word, value: 0, to: .r7, Variable.hasUnknownBase)
    assembler.store(.doubleword, value: 0, to: .r7, Variable.changedGroups)
    assembler.load(.doubleword, .r1, from: .r7, Variable.all)
    assembler.store(.doubleword, .r1, to: .r7, Variable.summary)
    for dimension in Dimension.allCases where !dimension.isOfPrefixes {
      let absent = assembler.makeLabel()
      let present = assembler.makeLabel()
      assembler.jump(if: .r6, .anyBitSet, 1 << UInt32(dimension.rawValue), to: present)
      assembler.jump(to: absent)
      assembler.place(present)
      findClass(dimension)
      assembler.store(.word, .r0, to: .r7, Variable.classes + 4 * Int(dimension.rawValue))
      addClass(orEnd: done)
      assembler.place(absent)
    }
    // Those of prefixes in a loop, so that the verifier sees their long search once.
    let none = assembler.makeLabel()
    assembler.calculate(
      .and, .r6, Dimension.allCases.filter(\.isOfPrefixes).reduce(0) { $0 | 1 << UInt32($1.rawValue) })
    assembler.jump(if: .r6, .equal, 0, to: none)
    assembler.store(.doubleword, .r6, to: .r7, Variable.dimensionsLeft)
    assembler.load(.doubleword, .r3, from: .r10, Self.ownFrame)
    assembler.move32(.r1, UInt32(Dimension.slotCount))
    assembler.loadFunction(.r2, nextPrefix)
    assembler.move(.r4, 0)
    assembler.call(.loop)
    assembler.load(.doubleword, .r1, from: .r7, Variable.summary)
    assembler.jump64(if: .r1, .equal, 0, to: done)
    assembler.place(none)
    // The summary is that of groups: only those count that may have positions.
    assembler.load(.word, .r1, from: .r7, Variable.depth)
    assembler.jump(if: .r1, .equal, ImageLayout.Depth.word.rawValue, to: found)
    assembler.load(.word, .r1, from: .r7, Variable.combination)
    loadWord(.r1)
    assembler.load(.doubleword, .r2, from: .r7, Variable.changedGroups)
    assembler.calculate64(.or, .r1, .r2)
    assembler.load(.doubleword, .r2, from: .r7, Variable.summary)
    assembler.calculate64(.and, .r1, .r2)
    assembler.store(.doubleword, .r1, to: .r7, Variable.summary)
    assembler.place(found)
    assembler.place(done)
    assembler.move(.r0, 0)
    assembler.exit()
  }

  /// Takes the class in r0 into account.
  private mutating func addClass(orEnd done: Label) {
    let (next, known) = (assembler.makeLabel(), assembler.makeLabel())
    address(of: .r0)
    assembler.load(.doubleword, .r1, from: .r0, ImageLayout.Class.summary * 8)
    assembler.load(.doubleword, .r2, from: .r7, Variable.summary)
    assembler.calculate64(.and, .r1, .r2)
    assembler.store(.doubleword, .r1, to: .r7, Variable.summary)
    assembler.jump64(if: .r1, .equal, 0, to: done)
    assembler.load(.word, .r1, from: .r7, Variable.depth)
    assembler.jump(if: .r1, .equal, ImageLayout.Depth.word.rawValue, to: next)
    assembler.load(.doubleword, .r1, from: .r0, ImageLayout.Class.changedGroups * 8)
    assembler.load(.doubleword, .r2, from: .r7, Variable.changedGroups)
    assembler.calculate64(.or, .r1, .r2)
    assembler.store(.doubleword, .r1, to: .r7, Variable.changedGroups)
    assembler.load(.word, .r1, from: .r0, ImageLayout.Class.base * 8 + 4)
    assembler.jump(if: .r1, .notEqual, ImageLayout.Class.unknownBase, to: known)
    assembler.store(.word, value: 1, to: .r7, Variable.hasUnknownBase)
    assembler.jump(to: next)
    assembler.place(known)
    assembler.load(.word, .r2, from: .r7, Variable.combination)
    assembler.calculate(.add, .r1, .r2)
    assembler.store(.word, .r1, to: .r7, Variable.combination)
    assembler.place(next)
  }

  /// r1 = where the record of a dimension is; changes r2.
  private mutating func loadRecord(_ dimension: Dimension) {
    assembler.load(.word, .r1, from: .r7, Variable.records)
    assembler.calculate(.add, .r1, UInt32(dimension.rawValue))
    loadHalf(.r1, changing: .r2)
  }

  /// r0 = the class; changes r1...r5.
  private mutating func findClass(_ dimension: Dimension) {
    loadRecord(dimension)
    switch dimension {
    case .protocolNumber:
      assembler.load(.word, .r3, from: .r7, Variable.version)
      assembler.calculate(.and, .r3, 2)
      assembler.calculate(.shiftLeft, .r3, 7)
      assembler.load(.word, .r4, from: .r7, Variable.protocolNumber)
      assembler.calculate(.or, .r3, .r4)
      loadFromTable()
    case .destinationPort: findPort(Variable.destinationPort)
    case .sourcePort: findPort(Variable.sourcePort)
    case .tcpFlags:
      let (other, look) = (assembler.makeLabel(), assembler.makeLabel())
      assembler.load(.word, .r3, from: .r7, Variable.protocolNumber)
      assembler.jump(if: .r3, .notEqual, 6, to: other)
      assembler.load(.word, .r3, from: .r7, Variable.transportKind)
      assembler.jump(if: .r3, .notEqual, TransportKind.ports, to: other)
      assembler.load(.word, .r3, from: .r7, Variable.tcpFlags)
      assembler.jump(to: look)
      assembler.place(other)
      assembler.move(.r3, Int32(DimensionValue.noTCPFlags))
      assembler.place(look)
      loadFromTable()
    case .icmpType:
      let (other, look) = (assembler.makeLabel(), assembler.makeLabel())
      assembler.load(.word, .r3, from: .r7, Variable.version)
      assembler.jump(if: .r3, .notEqual, 4, to: other)
      assembler.load(.word, .r3, from: .r7, Variable.transportKind)
      assembler.jump(if: .r3, .notEqual, TransportKind.icmp, to: other)
      assembler.load(.word, .r3, from: .r7, Variable.icmpType)
      assembler.jump(if: .r3, .less, UInt32(DimensionValue.noICMPType), to: look)
      assembler.place(other)
      assembler.move(.r3, Int32(DimensionValue.noICMPType))
      assembler.place(look)
      loadFromTable()
    case .fragment:
      let (version6, look) = (assembler.makeLabel(), assembler.makeLabel())
      assembler.load(.word, .r3, from: .r7, Variable.version)
      assembler.jump(if: .r3, .equal, 6, to: version6)
      assembler.load(.word, .r3, from: .r7, Variable.fragmentBits)
      assembler.jump(to: look)
      assembler.place(version6)
      assembler.move(.r3, Int32(DimensionValue.fragment6))
      assembler.load(.word, .r4, from: .r7, Variable.fragmentOffset)
      assembler.jump(if: .r4, .equal, 0, to: look)
      assembler.move(.r3, Int32(DimensionValue.laterFragment6))
      assembler.place(look)
      loadFromTable()
    case .local:
      assembler.load(.word, .r3, from: .r7, Variable.version)
      assembler.calculate(.and, .r3, 2)
      assembler.load(.word, .r4, from: .r7, Variable.destinationIsLocal)
      assembler.calculate(.or, .r3, .r4)
      assembler.calculate(.shiftLeft, .r3, 1)
      assembler.load(.word, .r4, from: .r7, Variable.sourceIsLocal)
      assembler.calculate(.or, .r3, .r4)
      loadFromTable()
    case .pass:
      assembler.load(.word, .r3, from: .r7, Variable.pass)
      loadFromTable()
    case .destination, .source, .receive, .transmit, .via, .mask0, .mask1, .mask2, .mask3, .mask4, .mask5,
      .mask6:
      preconditionFailure("prefixes are looked up in a loop")
    }
  }

  /// r0 = entry r3 of the table at r1.
  private mutating func loadFromTable() {
    assembler.calculate(.shiftLeft, .r1, 1)
    assembler.calculate(.add, .r1, .r3)
    loadHalf(.r1, changing: .r2)
    assembler.move32(.r0, .r1)
  }

  private mutating func findPort(_ port: Int) {
    let (without, found) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.word, .r3, from: .r7, Variable.transportKind)
    assembler.jump(if: .r3, .notEqual, TransportKind.ports, to: without)
    assembler.load(.word, .r4, from: .r7, port)
    assembler.move32(.r3, .r4)
    assembler.calculate(.shiftRight, .r3, 8)
    assembler.calculate(.add, .r1, UInt32(ImageLayout.Ports.pages))
    loadFromTable()
    assembler.move32(.r1, .r0)
    assembler.calculate(.and, .r1, ~ImageLayout.Ports.isPage)
    assembler.jump(if: .r1, .equal, .r0, to: found)
    assembler.move32(.r3, .r4)
    assembler.calculate(.and, .r3, 0xff)
    loadFromTable()
    assembler.jump(to: found)
    assembler.place(without)
    assembler.move(.r3, 0)
    loadFromTable()
    assembler.place(found)
  }

  /// The class in the next dimension of those left, each of prefixes; r2 is the address of ``Frame``. r0 = 1: there is none,
  /// or no rule can match.
  mutating func functionPrefix() {
    let (over, known, isMask, source, destination) =
      (
        assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(),
        assembler.makeLabel()
      )
    let (look32, look128) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.place(nextPrefix)
    takeFrame(.r2)
    assembler.load(.doubleword, .r1, from: .r7, Variable.dimensionsLeft)
    assembler.jump64(if: .r1, .equal, 0, to: over)
    takeLowestBit()
    assembler.store(.doubleword, .r1, to: .r7, Variable.dimensionsLeft)
    assembler.move32(.r6, .r2)
    assembler.load(.word, .r1, from: .r7, Variable.records)
    assembler.calculate(.add, .r1, .r6)
    loadHalf(.r1, changing: .r2)
    assembler.move32(.r3, .r1)
    for (dimension, variable) in [
      (Dimension.receive, Variable.receiveInterface), (.transmit, Variable.transmitInterface),
      (.via, Variable.via),
    ] {
      let other = assembler.makeLabel()
      assembler.jump(if: .r6, .notEqual, UInt32(dimension.rawValue), to: other)
      assembler.load(.word, .r4, from: .r7, variable)
      assembler.jump(to: look32)
      assembler.place(other)
    }
    assembler.jump(if: .r6, .greaterOrEqual, UInt32(Dimension.mask0.rawValue), to: isMask)
    assembler.jump(if: .r6, .equal, UInt32(Dimension.source.rawValue), to: source)
    assembler.jump(to: destination)
    assembler.place(isMask)
    address(of: .r1)
    assembler.load(.word, .r1, from: .r1, ImageLayout.Prefixes.field * 8)
    assembler.jump(if: .r1, .equal, 0, to: source)
    for (label, address4, address6) in [
      (destination, Variable.destination4, Variable.destination6),
      (source, Variable.source4, Variable.source6),
    ] {
      assembler.place(label)
      let version6 = assembler.makeLabel()
      assembler.load(.word, .r1, from: .r7, Variable.version)
      assembler.jump(if: .r1, .equal, 6, to: version6)
      assembler.load(.word, .r4, from: .r7, address4)
      assembler.jump(to: look32)
      assembler.place(version6)
      for half in [0, 8] {
        assembler.load(.doubleword, .r1, from: .r7, address6 + half)
        assembler.store(.doubleword, .r1, to: .r7, Variable.address6 + half)
      }
      assembler.jump(to: look128)
    }
    assembler.place(look128)
    assembler.move(.r4, .r7)
    assembler.calculate64(.add, .r4, Int32(Variable.address6))
    assembler.move(.r1, .r8)
    assembler.move32(.r2, .r9)
    assembler.call(longest128)
    assembler.jump(to: known)
    assembler.place(look32)
    assembler.move(.r1, .r8)
    assembler.move32(.r2, .r9)
    assembler.call(longest32)
    assembler.place(known)
    assembler.calculate(.and, .r6, 31)
    assembler.calculate64(.shiftLeft, .r6, 2)
    assembler.calculate64(.add, .r6, .r7)
    assembler.store(.word, .r0, to: .r6, Variable.classes)
    addClass(orEnd: over)
    assembler.answer(0)
    assembler.place(over)
    assembler.answer(1)
  }
}

extension Dimension {
  /// Whether a class is found by the longest prefix.
  fileprivate var isOfPrefixes: Bool {
    switch self {
    case .destination, .source, .receive, .transmit, .via, .mask0, .mask1, .mask2, .mask3, .mask4, .mask5,
      .mask6:
      true
    case .protocolNumber, .destinationPort, .sourcePort, .tcpFlags, .icmpType, .fragment, .local, .pass: false
    }
  }
}
