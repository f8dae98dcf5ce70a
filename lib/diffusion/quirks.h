// SPDX-License-Identifier: LGPL-2.1-or-later
// Quirks: habits of diffusers' scheduler classes, as plain data. lib/diffusers fills the struct from a
// scheduler_config.json; the samplers and grid_diffusers.c follow it. Without the struct (NULL), samplers
// have no quirks. File names below are those of diffusers/schedulers.
#ifndef EBB_DIFFUSION_QUIRKS_H
#define EBB_DIFFUSION_QUIRKS_H

#include <stdbool.h>
#include <stdint.h>

// The times of a run, as the class's set_timesteps() chooses them.
enum ebb_quirk_layout {
    EBB_LAYOUT_STEPS,    // scheduling_ddpm.py: whole training steps, each step aims at the next
    EBB_LAYOUT_STRIDES,  // scheduling_ddim.py, _pndm.py: a step aims at t - T / n, not at the next time
    EBB_LAYOUT_INVERSE,  // scheduling_ddim_inverse.py: upwards; x counts as one stride below the timestep
    EBB_LAYOUT_ORIGINAL, // scheduling_lcm.py, _tcd.py: a choice among `original_steps` times
    EBB_LAYOUT_SIGMAS,   // scheduling_euler_discrete.py, all of k-diffusion: fractional times
    // scheduling_dpmsolver_multistep.py, _unipc_, _deis_, _sasolver: n + 1 times, the last one left out
    EBB_LAYOUT_SOLVER,
    EBB_LAYOUT_EDM,  // scheduling_edm_*.py: Karras' sigmas
    EBB_LAYOUT_FLOW, // scheduling_flow_match_*.py: sigma from 1 to 1 / T, shifted
    EBB_LAYOUT_VE, // deprecated/scheduling_sde_ve.py: two series of sigmas, for the state and for the network
    EBB_LAYOUT_CONSISTENCY, // scheduling_consistency_models.py: a choice among Karras' sigmas of training
};

struct ebb_quirks {
    const char *source;  // the class, for messages; a static string
    const char *sampler; // the class's sampler; with another sampler the quirks have no effect
    enum ebb_quirk_layout layout;

    // ---- which times are visited ----
    const char *spacing; // "leading", "linspace", "trailing": numpy's roundings, set_timesteps()
    int steps_offset;    // added to the times of "leading"
    int original_steps;  // lcm, tcd: number of training times among which the visited times are chosen
    const char *grid;    // "karras", "exponential", "lu", "beta" in place of the times; NULL: the times
    double sigma_min, sigma_max; // limits of that grid; 0: from the table
    double rho;                  // ... and its exponent
    bool log_linear;             // euler: interpolation_type "log_linear", sigmas from the table's ends alone
    bool clips_lambda;           // solvers: no times below log-SNR `lambda_min` (lambda_min_clipped)
    double lambda_min;
    bool dynamic;          // flow: shifted once (use_dynamic_shifting), where a fixed shift is applied twice
    double shift_terminal; // flow: the last sigma is stretched to this; 0: it is not stretched
    bool flow_sigmas;      // solvers: sigmas of flow matching in place of the betas' (use_flow_sigmas)
    bool ends_at_betas;    // ... whose last sigma stays that of the betas, `betas_end` (DPM-Solver's classes)
    double betas_end;      // sigma / alpha of the first beta

    // ---- where a run ends ----
    bool final_zero;        // final_sigmas_type "zero": on the clean sound, not on the smallest sigma
    bool alpha_to_one;      // ddim, pndm, lcm: set_alpha_to_one, below time 0 is the clean sound, not time 0
    bool euler_at_final;    // solvers: the last step is of first order
    bool lower_order_final; // solvers: the last steps fall in order when there are few

    // ---- the network's timestep ----
    bool round_labels;       // times of a sigma grid are rounded: _sigma_to_t(), then .round()
    bool cut_labels;         // ... or cut: .astype(np.int64) of the solvers
    bool continuous_labels;  // euler: timestep_type "continuous", log(sigma) / 4
    double timestep_scaling; // lcm: factor on the times in the boundary condition

    // ---- the arithmetic of a step ----
    int order;             // solver_order, predictor_order
    int corrector_order;   // sa-solver
    bool noise_prediction; // the solver works on eps (dpmsolver, predict_x0 false), not on x_0
    bool sde;              // sde-dpmsolver, sde-dpmsolver++: fresh noise in each step
    bool heun;             // solver_type "heun": the second order's exact weight, where "midpoint" halves it
    bool bh1;              // unipc: solver_type "bh1", where "bh2" is usual
    uint64_t uncorrected;  // unipc: bit i: step i stays as predicted (disable_corrector)
    bool stochastic;       // flow matching's Euler: the estimate, noised down afresh (stochastic_sampling)
    bool brownian;         // dpmpp-sde: noise from a Brownian tree, whose draws cannot be repeated
};

#endif
