/// Which part of a datagram is there, and in which of its fragments.
struct DatagramPieces: Sendable {
  /// What counts of a fragment's data.
  struct Piece: Sendable {
    /// In the datagram.
    var range: Range<Int>
    /// Its number, in order of arrival.
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

  /// In order of their place, without overlap.
  private(set) var pieces: [Piece] = []
  /// Of all pieces, in bytes.
  private(set) var length = 0
  private(set) var congestion = CongestionMark.notCapable
  /// Where the last fragment ends.
  private var end: Int?

  init() {}

  init(_ first: Fragment) {
    congestion = first.congestion
    _ = join(first, number: 0)
  }

  /// All is within the end, without overlap: when it is as much as the end says, there is no hole.
  var isWhole: Bool { length == end }

  /// - Parameter number: Of the fragment, in order of arrival.
  mutating func join(_ fragment: Fragment, number: Int) -> Joining {
    var mark = congestion
    guard mark.merge(fragment.congestion) else { return .mixedCongestion }
    // RFC 5722; an exact duplicate may be ignored (RFC 8200 §4.5).
    if fragment.key.source.version == 6,
      let other = pieces.first(where: { $0.range.overlaps(fragment.range) })
    {
      return other.range == fragment.range ? .duplicate : .forbiddenOverlap
    }
    guard agreesWithEnd(fragment) else { return .contradictory }
    guard let overlapping = place(fragment, number) else { return .duplicate }
    congestion = mark
    if !fragment.moreFragments { end = fragment.range.upperBound }
    return .joined(overlapping: overlapping)
  }

  /// FreeBSD takes a last fragment even with data behind it: such a datagram could never become whole.
  private func agreesWithEnd(_ fragment: Fragment) -> Bool {
    let upper = fragment.range.upperBound
    if fragment.moreFragments { return end.map { upper < $0 } ?? true }
    return end.map { upper == $0 } ?? pieces.last.map { upper > $0.range.upperBound } ?? true
  }

  /// As in FreeBSD, the piece before a fragment keeps what it has, and those behind give way.
  ///
  /// - Returns: nil where the fragment holds nothing new, else whether it overlapped.
  private mutating func place(_ fragment: Fragment, _ number: Int) -> Bool? {
    var range = fragment.range
    let index = pieces.firstIndex { $0.range.lowerBound > range.lowerBound } ?? pieces.count
    if index > 0 {
      let start = max(range.lowerBound, pieces[index - 1].range.upperBound)
      guard start < range.upperBound else { return nil }
      range = start..<range.upperBound
    }
    let covered = pieces[index...].prefix { $0.range.lowerBound < range.upperBound }
    length += range.count - covered.reduce(0) { $0 + $1.range.clamped(to: range).count }
    let shift = fragment.data.lowerBound - fragment.range.lowerBound
    var placed = [Piece(range: range, fragment: number, shift: shift)]
    if var rest = covered.last, rest.range.upperBound > range.upperBound {
      rest.range = range.upperBound..<rest.range.upperBound
      placed.append(rest)
    }
    let overlapping = range != fragment.range || !covered.isEmpty
    pieces.replaceSubrange(covered.indices, with: placed)
    return overlapping
  }
}
