import type { Store } from 'sealcast';
import { afterEach, beforeEach } from 'vitest';
import { openAccountScene, type AccountScene, type Disk } from './account-scene.js';

/** An account scene that a test can open again, over what it committed. */
export interface DiskScene extends AccountScene {
  /**
   * Closes the account, unless the test did, and opens it again in front of the same service.
   *
   * @param wrap makes the store that the account then has.
   * @param options of the account.
   */
  reopen(
    wrap?: (store: Store) => Store,
    options?: { readonly profileKey?: Uint8Array },
  ): Promise<void>;
}

/**
 * Opens an account on a disk of its own before each test, and removes both after it.
 *
 * @param setUp what each test begins with.
 * @returns the scene of the test that runs.
 */
export function useDiskScene(
  make: () => Disk,
  setUp: (scene: AccountScene) => Promise<void> = () => Promise.resolve(),
): DiskScene {
  let disk: Disk;
  let scene: AccountScene;
  let isOpen = false;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await scene.close();
  };
  beforeEach(async () => {
    disk = make();
    scene = await openAccountScene(await disk.open());
    isOpen = true;
    await setUp(scene);
  });
  afterEach(async () => {
    await close();
    await disk.remove();
  });
  return {
    get service() {
      return scene.service;
    },
    get store() {
      return scene.store;
    },
    get runtime() {
      return scene.runtime;
    },
    get own() {
      return scene.own;
    },
    close,
    reopen: async (wrap = (store) => store, options = {}) => {
      await close();
      scene = await openAccountScene(wrap(await disk.open()), scene.service, options);
      isOpen = true;
    },
  };
}
