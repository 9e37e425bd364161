/// What a host knows of a packet beside its bytes and its way.
package struct PacketOrigin: Equatable, Sendable, BitwiseCopyable {
  /// What other programs of the host have marked it with (SO_MARK, socket(7)); 0 for nothing.
  package var mark: UInt32
  /// The user whose program has made it here; nil for what was received or written back, and where nobody knows.
  package var owner: UInt32?

  package init(mark: UInt32 = 0, owner: UInt32? = nil) { (self.mark, self.owner) = (mark, owner) }

  /// The owner as it is written in frames: 0 for nobody. There is no user 4 294 967 295 (setreuid(2): -1 is nobody).
  package var ownerNumber: UInt32 { owner.map { $0 &+ 1 } ?? 0 }

  package init(mark: UInt32, ownerNumber: UInt32) {
    self.init(mark: mark, owner: ownerNumber == 0 ? nil : ownerNumber - 1)
  }
}
