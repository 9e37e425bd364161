import DivertWire

/// What of a packet's path a program need not give back: its mark. (Routes of this host look at destinations alone.)
struct FormerMarks: Sendable {
  private var marks: [UInt32] = []
  private var places: [UInt32: UInt16] = [:]

  private static let check: UInt8 = 0x80

  mutating func path(ofMark mark: UInt32, outgoing: Bool) -> FramePath {
    guard mark != 0 else { return .none }
    if places[mark] == nil, marks.count < 1 << 15 {
      places[mark] = UInt16(marks.count)
      marks.append(mark)
    }
    guard let place = places[mark] else { return .none }
    return FramePath(slot: place << 1 | (outgoing ? 1 : 0), check: Self.check)
  }

  /// 0 where the packet had none, or is turned round.
  func mark(of header: FrameHeader) -> UInt32 {
    let path = header.path
    guard path.check == Self.check, (path.slot & 1 != 0) == header.flags.contains(.outgoing),
      Int(path.slot >> 1) < marks.count
    else { return 0 }
    return marks[Int(path.slot >> 1)]
  }
}
