extension FragmentQueue {
  /// A datagram, as far as it has come.
  package struct Datagram: Sendable {
    /// In order of arrival, untouched.
    package private(set) var fragments: [(bytes: [UInt8], note: Note)] = []
    /// Of the fragments, headers included.
    private(set) var byteCount = 0
    /// In order of their place, without overlap.
    private(set) var pieces: [Piece] = []
    /// Of the pieces.
    private(set) var dataLength = 0
    /// Where the last fragment ends.
    private var end: Int?
    private(set) var congestion = CongestionMark.notCapable

    /// What counts of a fragment's data.
    struct Piece: Sendable {
      /// In the datagram.
      var range: Range<Int>
      /// Where in ``fragments`` it is.
      let fragment: Int
      /// From the place in the datagram to that in the fragment.
      let shift: Int

      var bytes: Range<Int> { (range.lowerBound + shift)..<(range.upperBound + shift) }
    }

    enum Joining {
      case joined(overlapping: Bool)
      case duplicate
      case contradictory
      case mixedCongestion
      case forbiddenOverlap
    }

    init() {}

    init(_ first: Fragment, _ bytes: [UInt8], _ note: Note) {
      congestion = first.congestion
      _ = join(first, bytes, note)
    }

    /// All data within the end, without overlap: when it is as much as the end says, there is no hole.
    package var isWhole: Bool { dataLength == end }

    mutating func join(_ fragment: Fragment, _ bytes: [UInt8], _ note: Note) -> Joining {
      var mark = congestion
      guard mark.merge(fragment.congestion) else { return .mixedCongestion }
      // RFC 5722; an exact duplicate may be ignored (RFC 8200 §4.5).
      if fragment.key.source.version == 6,
        let other = pieces.first(where: { $0.range.overlaps(fragment.range) })
      {
        return other.range == fragment.range ? .duplicate : .forbiddenOverlap
      }
      guard agreesWithEnd(fragment) else { return .contradictory }
      guard let overlapping = place(fragment) else { return .duplicate }
      congestion = mark
      if !fragment.moreFragments { end = fragment.range.upperBound }
      keep(bytes, note)
      return .joined(overlapping: overlapping)
    }

    mutating func keep(_ bytes: [UInt8], _ note: Note) {
      fragments.append((bytes, note))
      byteCount += bytes.count
    }

    private func agreesWithEnd(_ fragment: Fragment) -> Bool {
      let upper = fragment.range.upperBound
      if fragment.moreFragments { return end.map { upper < $0 } ?? true }
      return end.map { upper == $0 } ?? pieces.last.map { upper > $0.range.upperBound } ?? true
    }

    /// As in FreeBSD, the piece before a fragment keeps what it has, and those behind give way.
    ///
    /// - Returns: nil where the fragment holds nothing new, else whether it overlapped.
    private mutating func place(_ fragment: Fragment) -> Bool? {
      var range = fragment.range
      let index = pieces.firstIndex { $0.range.lowerBound > range.lowerBound } ?? pieces.count
      if index > 0 {
        let start = max(range.lowerBound, pieces[index - 1].range.upperBound)
        guard start < range.upperBound else { return nil }
        range = start..<range.upperBound
      }
      let covered = pieces[index...].prefix { $0.range.lowerBound < range.upperBound }
      dataLength += range.count - covered.reduce(0) { $0 + $1.range.clamped(to: range).count }
      let shift = fragment.data.lowerBound - fragment.range.lowerBound
      var placed = [Piece(range: range, fragment: fragments.count, shift: shift)]
      if var rest = covered.last, rest.range.upperBound > range.upperBound {
        rest.range = range.upperBound..<rest.range.upperBound
        placed.append(rest)
      }
      let overlapping = range != fragment.range || !covered.isEmpty
      pieces.replaceSubrange(covered.indices, with: placed)
      return overlapping
    }
  }
}
