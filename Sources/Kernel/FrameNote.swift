import CSystem
import Glibc

/// What a host tells of a frame beside it, to a socket that has asked.
@frozen package struct FrameNote: Equatable, Sendable, BitwiseCopyable {
  /// When the socket got it, in nanoseconds since 1970.
  package var time: UInt64
  /// The packet's mark (SO_MARK, socket(7)).
  package var mark: UInt32
  /// Who has made the packet: a user's number plus one.
  package var owner: UInt32

  package static let none = FrameNote(time: 0, mark: 0, owner: 0)
  @inlinable package static var size: Int { 16 }

  package init(time: UInt64, mark: UInt32, owner: UInt32) {
    (self.time, self.mark, self.owner) = (time, mark, owner)
  }
}

/// What a socket asks the kernel to tell of each frame.
package struct SocketNotes: OptionSet, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }
  package static let time = SocketNotes(rawValue: 1)
  package static let mark = SocketNotes(rawValue: 2)
  /// The hooks put it where a packet has its priority.
  package static let owner = SocketNotes(rawValue: 4)

  /// SO_TIMESTAMPNS; SO_RCVMARK (Linux 5.19); SO_RCVPRIORITY (Linux 6.14). The C library
  /// does not name the last two yet.
  fileprivate static let socketOptions: [(note: SocketNotes, option: CInt, need: String)] = [
    (.time, 35, "times need SO_TIMESTAMPNS"), (.mark, 75, "marks need Linux 5.19 or later"),
    (.owner, 82, "owners need Linux 6.14 or later"),
  ]
}

extension PacketSocket {
  /// Lets each frame come with control data, for ``FrameBuffers``.
  ///
  /// - Throws: `ENOPROTOOPT` where the kernel is too old to tell that.
  package static func ask(for notes: SocketNotes, on descriptor: borrowing Descriptor) throws(SystemError) {
    let number = descriptor.number
    var yes: CInt = 1
    for (note, option, need) in SocketNotes.socketOptions where notes.contains(note) {
      let result = unsafe setsockopt(
        number, SOL_SOCKET, option, &yes, socklen_t(MemoryLayout<CInt>.size))
      guard result != 0 else { continue }
      throw SystemError(
        "ask what is told of each packet", advice: errno == ENOPROTOOPT ? need : nil)
    }
  }
}

/// Ancillary data (cmsg(3)) of a frame: what was received with it, or is sent with it.
enum ControlData {
  /// Room for a time, a mark and a priority, each with its header of 16 bytes.
  static let size = 96

  /// SCM_TIMESTAMPNS.
  private static let time: CInt = 35

  static func note(in control: UnsafeMutableRawPointer?, count: Int) -> FrameNote {
    var note = FrameNote.none
    guard let control = unsafe control else { return note }
    var offset = 0
    while offset + 16 <= count {
      let header = unsafe control.load(fromByteOffset: offset, as: cmsghdr.self)
      let data = unsafe control + offset + 16
      let length = Int(header.cmsg_len)
      guard length >= 16, offset + length <= count else { break }
      switch (header.cmsg_level, header.cmsg_type) {
      case (SOL_SOCKET, time):
        let time = unsafe data.load(as: timespec.self)
        note.time = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
      case (SOL_SOCKET, SO_MARK): note.mark = unsafe data.load(as: UInt32.self)
      case (SOL_SOCKET, SO_PRIORITY): note.owner = unsafe data.load(as: UInt32.self)
      default: break
      }
      offset += (length + 7) & ~7
    }
    return note
  }

  /// - Returns: How many bytes they are; none for no mark.
  static func write(mark: UInt32, to control: UnsafeMutableRawPointer?) -> Int {
    guard mark != 0, let control = unsafe control else { return 0 }
    unsafe control.storeBytes(of: 20, as: Int.self)
    unsafe control.storeBytes(of: SOL_SOCKET, toByteOffset: 8, as: CInt.self)
    unsafe control.storeBytes(of: SO_MARK, toByteOffset: 12, as: CInt.self)
    unsafe control.storeBytes(of: mark, toByteOffset: 16, as: UInt32.self)
    return 24
  }
}
