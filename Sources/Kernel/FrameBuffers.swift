internal import CSystem
import Glibc

/// Memory for the frames of a batch, mapped once: recvmmsg(2) writes it, sendmmsg(2) sends from it.
///
/// A slot begins with a ``FrameNote`` and takes the largest frame there is. Pages are touched only as far as frames reach, so a client of
/// small packets uses some 300 KiB, and one that has seen 64 packets of 64 KiB at once 4.2 MiB.
@safe package struct FrameBuffers: ~Copyable, @unchecked Sendable {
  /// Frames in a batch.
  @inlinable package static var slots: Int { 64 }
  /// 65 535 bytes of packet, 14 before it and the note, rounded up to cache lines, an odd number of these: slots
  /// that lie a multiple of 4096 bytes apart would fight for the same lines of the cache.
  @inlinable package static var slotSize: Int { 65_600 }
  /// How much of a slot a frame may fill.
  @inlinable package static var frameSize: Int { slotSize - FrameNote.size }

  private let region: UnsafeMutableRawPointer
  private let received: UnsafeMutablePointer<csystem_mmsghdr>
  /// Whether the kernel is to tell of each frame what the socket has asked for (``SocketNotes``).
  private let takesNotes: Bool
  private static let headerSize =
    unsafe MemoryLayout<csystem_mmsghdr>.stride + MemoryLayout<iovec>.stride
  private static let tableSize = 2 * slots * (headerSize + ControlData.size)
  private static let frameStart = (tableSize + 4095) / 4096 * 4096
  private static let regionSize = frameStart + slots * slotSize
  /// How many of the slots the last `receive` filled.
  private var count = 0

  package init(takesNotes: Bool = false) throws(SystemError) {
    let region = unsafe mmap(
      nil, Self.regionSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let region = unsafe region, unsafe region != MAP_FAILED else {
      throw SystemError("map \(Self.regionSize) bytes for packets")
    }
    unsafe self.region = region
    self.takesNotes = takesNotes
    let messages = unsafe region.bindMemory(to: csystem_mmsghdr.self, capacity: 2 * Self.slots)
    let vectors = unsafe (region + 2 * Self.slots * MemoryLayout<csystem_mmsghdr>.stride)
      .bindMemory(to: iovec.self, capacity: 2 * Self.slots)
    for slot in 0..<Self.slots {
      unsafe vectors[slot] = iovec(
        iov_base: region + Self.frameStart + slot * Self.slotSize + FrameNote.size, iov_len: Self.frameSize)
    }
    let control = unsafe region + 2 * Self.slots * Self.headerSize
    for message in 0..<2 * Self.slots {
      unsafe messages[message].header.msg_iov = vectors + message
      unsafe messages[message].header.msg_iovlen = 1
      if takesNotes {
        unsafe messages[message].header.msg_control = control + message * ControlData.size
      }
    }
    unsafe self.received = messages
    precondition(
      unsafe Frames.lengthOffset(1) == MemoryLayout<csystem_mmsghdr>.stride
        + (MemoryLayout<csystem_mmsghdr>.offset(of: \.length) ?? 0))
  }

  deinit { _ = unsafe munmap(region, Self.regionSize) }

  /// Takes what is waiting, at most ``slots`` frames.
  ///
  /// - Parameter wait: Whether to wait for the first one; a descriptor that does not block never waits.
  /// - Returns: How many came; 0 when nothing is there.
  package mutating func receive(from descriptor: CInt, wait: Bool) throws(SystemError) -> Int {
    let flags = wait ? waitForOne : CInt(MSG_DONTWAIT)
    count = 0
    if takesNotes {
      for slot in 0..<Self.slots { unsafe received[slot].header.msg_controllen = ControlData.size }
    }
    while true {
      let result = unsafe csystem_recvmmsg(descriptor, received, CUnsignedInt(Self.slots), flags)
      if result >= 0 {
        count = result
        if takesNotes { takeNotes() }
        return result
      }
      let code = errno
      if code == EAGAIN { return 0 }
      if code != EINTR { throw SystemError("read packets", code: code) }
    }
  }

  /// Puts what the kernel has told beside each frame in front of it.
  private mutating func takeNotes() {
    for slot in 0..<count {
      let header = unsafe received[slot].header
      let note = unsafe ControlData.note(in: header.msg_control, count: header.msg_controllen)
      unsafe (region + Self.frameStart + slot * Self.slotSize).storeBytes(of: note, as: FrameNote.self)
    }
  }

  /// Lets go of what the last `receive` brought.
  package mutating func forget() { count = 0 }

  /// What the last `receive` brought.
  package var frames: Frames {
    @_lifetime(&self) mutating get {
      let frames = unsafe Frames(
        start: region + Self.frameStart, messages: UnsafeMutableRawPointer(received), count: count)
      return unsafe _overrideLifetime(frames, mutating: &self)
    }
  }
}

/// MSG_WAITFORONE, which glibc shows under _GNU_SOURCE only: wait for the first frame, not for the others.
private let waitForOne: CInt = 0x10000

/// The frames of one batch, in the order in which they came; nobody else sees the buffers meanwhile.
@safe package struct Frames: ~Copyable, ~Escapable {
  /// Where the first slot begins.
  @usableFromInline let start: UnsafeMutableRawPointer
  /// As many `csystem_mmsghdr`s as there are slots for what was received, then as many for what is sent.
  @usableFromInline let messages: UnsafeMutableRawPointer
  package let count: Int
  /// How many have been queued for ``send(to:refused:)``.
  package private(set) var queued = 0

  @_lifetime(immortal)
  init(start: UnsafeMutableRawPointer, messages: UnsafeMutableRawPointer, count: Int) {
    unsafe self.start = start
    unsafe self.messages = messages
    self.count = count
  }

  /// Where slot n's length lies among the messages: written out for code that is inlined where C is not seen,
  /// and compared with C's layout by ``FrameBuffers``.
  @inlinable @inline(__always) static func lengthOffset(_ slot: Int) -> Int { slot * 64 + 56 }

  /// How long the frame in a slot is; 0 if it was discarded.
  @inlinable @inline(__always)
  package func length(of slot: Int) -> Int {
    precondition(slot >= 0 && slot < count)
    return unsafe Int(messages.load(fromByteOffset: Self.lengthOffset(slot), as: UInt32.self))
  }

  /// The frame in a slot, to be looked at.
  @inlinable @inline(__always) @_lifetime(borrow self)
  package func bytes(_ slot: Int) -> RawSpan {
    let length = min(length(of: slot), FrameBuffers.frameSize)
    let span = unsafe RawSpan(_unsafeStart: place(slot) + FrameNote.size, byteCount: length)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// The frame in a slot, to be changed.
  @inlinable @inline(__always) @_lifetime(&self)
  package mutating func frame(_ slot: Int) -> MutableRawSpan {
    let length = min(length(of: slot), FrameBuffers.frameSize)
    let span = unsafe MutableRawSpan(_unsafeStart: place(slot) + FrameNote.size, byteCount: length)
    return unsafe _overrideLifetime(span, mutating: &self)
  }

  /// The same with its ``FrameNote`` before it.
  @inlinable @inline(__always) @_lifetime(&self)
  package mutating func notedFrame(_ slot: Int) -> MutableRawSpan {
    let length = min(length(of: slot), FrameBuffers.frameSize)
    let span = unsafe MutableRawSpan(_unsafeStart: place(slot), byteCount: FrameNote.size + length)
    return unsafe _overrideLifetime(span, mutating: &self)
  }

  @inlinable @inline(__always)
  func place(_ slot: Int) -> UnsafeMutableRawPointer { unsafe start + slot * FrameBuffers.slotSize }

  /// What is told of a frame beside it; all zero where the socket has not asked.
  package subscript(note slot: Int) -> FrameNote {
    get {
      precondition(slot >= 0 && slot < count)
      return unsafe place(slot).load(as: FrameNote.self)
    }
    @_lifetime(self: copy self) set {
      precondition(slot >= 0 && slot < count)
      unsafe place(slot).storeBytes(of: newValue, as: FrameNote.self)
    }
  }

  /// Shortens a frame; 0 discards it.
  @inlinable @inline(__always) @_lifetime(self: copy self)
  package mutating func truncate(_ slot: Int, to length: Int) {
    precondition(slot >= 0 && slot < count && length <= FrameBuffers.frameSize)
    unsafe messages.storeBytes(of: UInt32(length), toByteOffset: Self.lengthOffset(slot), as: UInt32.self)
  }

  private var typed: UnsafeMutablePointer<csystem_mmsghdr> {
    unsafe messages.assumingMemoryBound(to: csystem_mmsghdr.self)
  }

  /// Queues a slot's frame to be sent.
  ///
  /// - Parameter marks: Whether with the mark of its note; only of buffers that take notes.
  @_lifetime(self: copy self)
  package mutating func queue(_ slot: Int, marks: Bool = false) {
    precondition(slot >= 0 && slot < count && queued < FrameBuffers.slots)
    let message = unsafe typed + FrameBuffers.slots + queued
    unsafe message.pointee.header.msg_iov.pointee = iovec(
      iov_base: place(slot) + FrameNote.size, iov_len: length(of: slot))
    if marks {
      let mark = self[note: slot].mark
      unsafe message.pointee.header.msg_controllen = ControlData.write(
        mark: mark, to: message.pointee.header.msg_control)
    }
    queued += 1
  }

  /// Sends the queued frames by as few calls as can be. One that is refused does not keep the others back.
  ///
  /// - Parameter refused: Is told each refused frame's errno.
  /// - Returns: How many went.
  @_lifetime(self: copy self)
  package mutating func send(to descriptor: CInt, refused: (CInt) -> Void) -> Int {
    var next = 0
    var sent = 0
    defer { queued = 0 }
    while next < queued {
      let first = unsafe typed + FrameBuffers.slots + next
      let result = unsafe csystem_sendmmsg(descriptor, first, CUnsignedInt(queued - next), 0)
      if result > 0 {
        next += result
        sent += result
        continue
      }
      let code = errno
      if code == EINTR { continue }
      if code == EAGAIN, (try? waitForRoom(on: descriptor)) != nil { continue }
      refused(code)
      next += 1
    }
    return sent
  }
}
